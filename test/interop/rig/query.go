package rig

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Query asks an ssh for one of its lists: ssh -Q kind.
func Query(ssh string, kind string) []string {
	out, err := exec.Command(ssh, "-Q", kind).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// ed25519Key reads a private key file that ssh-keygen made.
func ed25519Key(file string) (seed, pub []byte, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	k, err := ssh.ParseRawPrivateKey(b)
	if err != nil {
		return nil, nil, err
	}
	ed, ok := k.(*ed25519.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s is no Ed25519 key", file)
	}
	return ed.Seed(), ed.Public().(ed25519.PublicKey), nil
}
