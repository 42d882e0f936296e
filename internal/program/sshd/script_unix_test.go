//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the program as people do: by its name, with files, and with
// the stock client of the machine where one is there.
//
// In $WORK are host, host.pub, user, user.pub, authorized_keys and cfg; $SSHD
// is the program and $SSH the client with the options it needs, $PORT is free.
func TestScripts(t *testing.T) {
	me, err := user.Current()
	must(t, err)
	client, _ := exec.LookPath("ssh")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "client":
				return client != "", nil
			case "uid0":
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Setup: func(e *testscript.Env) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			sshd := filepath.Join(e.WorkDir, "bin", "sshd")
			if err := os.Mkdir(filepath.Dir(sshd), 0o755); err != nil {
				return err
			}
			if err := os.Symlink(exe, sshd); err != nil {
				return err
			}
			for _, name := range []string{"host", "user"} {
				if err := writeKey(filepath.Join(e.WorkDir, name)); err != nil {
					return err
				}
			}
			public, err := os.ReadFile(filepath.Join(e.WorkDir, "user.pub"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "authorized_keys"), public, 0o600); err != nil {
				return err
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			l.Close()
			w := e.WorkDir
			cfg := strings.Join([]string{"Port " + port, "ListenAddress 127.0.0.1", "HostKey " + w + "/host", "PidFile " + w + "/pid",
				"AuthorizedKeysFile " + w + "/authorized_keys", "StrictModes no", "LogLevel VERBOSE", ""}, "\n")
			if err := os.WriteFile(filepath.Join(w, "cfg"), []byte(cfg), 0o644); err != nil {
				return err
			}
			options := fmt.Sprintf("-F none -i %s/user -o IdentitiesOnly=yes -o UserKnownHostsFile=%s/known -o StrictHostKeyChecking=accept-new -o BatchMode=yes -p %s -l %s",
				w, w, port, me.Username)
			script := "#!/bin/sh\nexec " + client + " " + options + " \"$@\"\n"
			if err := os.WriteFile(filepath.Join(w, "bin", "client"), []byte(script), 0o755); err != nil {
				return err
			}
			e.Setenv("SSHD", sshd)
			e.Setenv("CLIENT", filepath.Join(w, "bin", "client"))
			e.Setenv("PORT", port)
			e.Setenv("ME", me.Username)
			e.Setenv("LOGINHOME", me.HomeDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await": await1,
		},
	})
}

// await1 waits until a file exists or is gone, or holds a text: await FILE,
// ! await FILE, await FILE TEXT.
func await1(ts *testscript.TestScript, neg bool, args []string) {
	end := time.Now().Add(30 * time.Second)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		there := err == nil
		if len(args) > 1 {
			there = there && strings.Contains(string(b), args[1])
		}
		if there != neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("await %v: %v\n%s", args, err, b)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func writeKey(path string) error {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	private, err := keyfile.MarshalPrivateKey(k, "test", keyfile.MarshalOptions{})
	if err != nil {
		return err
	}
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(s.PublicKey()), 0o644)
}
