//go:build unix

package client

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
)

// The test binary is the helper too when it is called by its name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ssh-keysign" {
		if err := fakeKeysign(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(255)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeKeysign signs with the key file that KEYSIGN_KEY names, if descriptor 3
// is a socket and the request is for its end.
func fakeKeysign() error {
	in, err := io.ReadAll(os.Stdin)
	if err != nil || len(in) < 9 || in[4] != keysignVersion || binary.BigEndian.Uint32(in[5:]) != keysignSocket {
		return fmt.Errorf("bad request %x", in)
	}
	r := wire.NewReader(in[9:])
	data := r.String()
	c, err := net.FileConn(os.NewFile(keysignSocket, "socket"))
	if err != nil {
		return err
	}
	if a := address(c.LocalAddr()); !a.IsLoopback() {
		return fmt.Errorf("socket of %v", a)
	}
	file, err := os.ReadFile(os.Getenv("KEYSIGN_KEY"))
	if err != nil {
		return err
	}
	s, _, err := keyfile.ParsePrivateKey(file)
	if err != nil {
		return err
	}
	sig, err := pubkey.SignWith(s, nil, data, s.PublicKey().Type())
	if err != nil {
		return err
	}
	body := wire.AppendString([]byte{keysignVersion}, pubkey.MarshalSignature(sig))
	_, err = os.Stdout.Write(wire.AppendString(nil, body))
	return err
}

func TestKeysign(t *testing.T) {
	dir := t.TempDir()
	k, s := key(t)
	file := writePrivate(t, dir, "ssh_host_ed25519_key", k, "")
	write(t, dir, "ssh_host_ed25519_key.pub", ssh.MarshalAuthorizedKey(s.PublicKey()))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	helper := filepath.Join(dir, "ssh-keysign")
	if err := os.Symlink(exe, helper); err != nil {
		t.Skip("peer lacks symbolic links")
	}
	t.Setenv("KEYSIGN_KEY", file)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var log bytes.Buffer
	login := &Login{Conf: config(t, "HostbasedAuthentication yes\n"), Log: NewLogger(&log, LevelDebug1, true)}
	login.Keysign = &Keysign{Program: helper, Dir: dir, Conn: conn, Log: login.Log}
	m, ok := login.hostbased().(*ssh.AuthHostbased)
	if !ok || len(m.Keys) != 1 || m.ClientHost == "" {
		t.Fatalf("%+v\n%s", m, log.String())
	}
	data := []byte("request")
	sig, err := pubkey.SignWith(m.Keys[0], nil, data, s.PublicKey().Type())
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if err := s.PublicKey().Verify(data, sig); err != nil {
		t.Error(err)
	}
	login.Identities = &Identities{Conf: login.Conf}
	methods := login.Methods()
	if len(methods) == 0 || methods[0].Name() != "hostbased" {
		t.Errorf("methods begin with %v", methods)
	}
	login.Keysign.Program = filepath.Join(dir, "none")
	if _, err := pubkey.SignWith(m.Keys[0], nil, data, s.PublicKey().Type()); err == nil || !strings.Contains(log.String(), "ssh_keysign: not installed: No such file or directory") {
		t.Errorf("%v\n%s", err, log.String())
	}
	login.Keysign.Dir = filepath.Join(dir, "none")
	if login.hostbased() != nil {
		t.Error("a method without keys")
	}
}

// TestAddKeysToAgent: what was read from a file to be used goes to the agent
// as the keyword says.
func TestAddKeysToAgent(t *testing.T) {
	k, s := key(t)
	for _, c := range []struct {
		value, askpass string
		pass           string
		added          bool
	}{
		{"no", "exit 1", "", false},
		{"yes", "exit 1", "", true},
		{"yes", "echo secret", "secret", true},
		{"ask", "[ \"$SSH_ASKPASS_PROMPT\" = confirm ] && case \"$1\" in 'Add key '*' (id) to agent?') echo yes;; esac", "", true},
		{"ask", "echo no", "", false},
		{"ask", "exit 1", "", false},
		{"confirm 5m", "exit 1", "", true},
		{"1h", "exit 1", "", true},
	} {
		t.Run(c.value+" "+c.askpass, func(t *testing.T) {
			keyring := &agent.Keyring{Now: time.Now, Confirm: func(agent.Use) bool { return true }}
			here, there := net.Pipe()
			go agent.ServeAgent(keyring, there)
			defer here.Close()
			file := writePrivate(t, t.TempDir(), "id", k, c.pass)
			var log bytes.Buffer
			logger := NewLogger(&log, LevelDebug3, true)
			ids := &Identities{Conf: config(t, "IdentityFile "+file+"\nAddKeysToAgent "+c.value+"\n"), Log: logger, Ask: dialog(t, c.askpass),
				Agent: &Agent{here, agent.NewClient(here), logger}}
			if err := ids.LoadPublic(); err != nil {
				t.Fatal(err)
			}
			id := ids.Arrange(nil)[0]
			if _, err := ids.signer(t.Context(), id); err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			l, err := keyring.List()
			if err != nil || (len(l) == 1) != c.added {
				t.Fatalf("the agent has %v, %v\n%s", l, err, log.String())
			}
			if c.added && (l[0].Comment != "id" || string(l[0].Blob) != string(s.PublicKey().Marshal()) || !strings.Contains(log.String(), "identity added to agent: "+file)) {
				t.Errorf("added %v\n%s", l[0], log.String())
			}
			for _, m := range ids.Method().Keys {
				if m.SignNow && c.value != "no" {
					t.Error("signs before the server has taken the key")
				}
			}
		})
	}
}
