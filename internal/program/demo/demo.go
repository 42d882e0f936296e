// Package demo is the program that shows the suite at work in one word: a
// server that lives as long as the demonstration, on loopback, with keys made
// for it, and our client logging in to it.
//
// It is also the shortest whole use of package ssh as a server. It is no
// sshd: who can run it is already logged in, and the server it starts runs
// programs as that person and lets in one key that nobody else has.
package demo

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	client "github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/ssh"
)

const usage = `usage: nacre demo [-v] [--] [command]

Starts a server on loopback with fresh keys and logs in to it: to a shell, or
to run the command. Everything is gone when it ends.
`

// failure is the exit status of failures of the demonstration's own, as ssh's.
const failure = 255

// Main runs the demonstration and returns the status of what was run in it.
func Main(ctx context.Context, std stdio.Stdio, args []string) int {
	var more []string // words for ssh
words:
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		word := args[0]
		args = args[1:]
		switch word {
		case "--":
			break words
		case "-v", "-vv", "-vvv":
			more = append(more, word)
		case "-h", "--help":
			io.WriteString(std.Out, usage)
			return 0
		default:
			std.Errorf("demo: no option %s", word)
			io.WriteString(std.Err, usage)
			return failure
		}
	}
	status, err := run(ctx, std, more, args)
	if err != nil {
		std.Errorf("demo: %v", err)
		return failure
	}
	return status
}

func run(ctx context.Context, std stdio.Stdio, more, command []string) (status int, err error) {
	dir, err := os.MkdirTemp("", "nacre-demo-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	hostKey, _, err := newKey()
	if err != nil {
		return 0, err
	}
	userKey, private, err := newKey()
	if err != nil {
		return 0, err
	}
	file, err := keyfile.MarshalPrivateKey(private, "demo", keyfile.MarshalOptions{})
	if err != nil {
		return 0, err
	}
	identity, known := filepath.Join(dir, "id"), filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(identity, file, 0o600); err != nil {
		return 0, err
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	line := fmt.Sprintf("[127.0.0.1]:%d %s", port, ssh.MarshalAuthorizedKey(hostKey.PublicKey()))
	if err := os.WriteFile(known, []byte(line), 0o600); err != nil {
		return 0, err
	}

	srv := newServer(hostKey, userKey.PublicKey(), std)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	defer func() {
		srv.Close()
		if e := <-served; err == nil && !errors.Is(e, ssh.ErrServerClosed) {
			err = e
		}
	}()

	std.Errorf("A server with the host key %s", ssh.FingerprintSHA256(hostKey.PublicKey()))
	std.Errorf("listens on %s for as long as this takes; it lets in one key, which only this program has.", ln.Addr())
	if len(command) == 0 {
		std.Errorf("You are logged in to your own machine through it. Leave with exit.")
	}
	words := append(more,
		"-F", "none", "-p", fmt.Sprint(port), "-l", "demo", "-i", identity,
		"-o", "UserKnownHostsFile="+known, "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "127.0.0.1")
	std.Name = "ssh"
	return client.Main(ctx, std, append(words, command...)), nil
}

// newKey makes a key pair that lives as long as the demonstration.
func newKey() (ssh.Signer, ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, private, err
}

// newServer is a server that lets one key in and runs programs as whoever
// started it.
func newServer(hostKey ssh.Signer, allowed ssh.PublicKey, std stdio.Stdio) *ssh.Server {
	h := &host{std: std, terminals: map[*ssh.Session]*pty.Pty{}}
	return &ssh.Server{
		HostKeys: []ssh.Signer{hostKey},
		PublicKey: func(_ context.Context, _ *ssh.ConnMeta, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(allowed.Marshal()) {
				return nil, errors.New("demo: not the key that was made for this")
			}
			return nil, nil
		},
		OpenPTY: h.openPTY,
		Handler: h.handle,
	}
}
