package defaults_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/sshconfig/defaults"
)

// TestKnown: every default is a name that exists, and no name stands twice.
func TestKnown(t *testing.T) {
	for side, a := range map[string]sshconfig.Algorithms{"client": defaults.Client(), "server": defaults.Server()} {
		for i, l := range []sshconfig.NameList{a.Ciphers, a.MACs, a.KexAlgorithms, a.HostKeyAlgorithms, a.PubkeyAcceptedAlgorithms, a.HostbasedAcceptedAlgorithms, a.CASignatureAlgorithms} {
			if len(l.Default) == 0 || len(l.Known) < len(l.Default) {
				t.Errorf("%s, list %d: %d of %d", side, i, len(l.Default), len(l.Known))
			}
			for _, n := range l.Default {
				if !slices.Contains(l.Known, n) {
					t.Errorf("%s: %s is a default but unknown", side, n)
				}
			}
			sorted := slices.Clone(l.Known)
			slices.Sort(sorted)
			if len(slices.Compact(sorted)) != len(l.Known) {
				t.Errorf("%s, list %d: a name twice", side, i)
			}
		}
	}
}

// The words that old servers need are known and only added when named.
func ExampleClient() {
	ctx := &sshconfig.ClientContext{Host: "old", Algorithms: defaults.Client()}
	c, err := sshconfig.ParseClient(sshconfig.Sources{Options: []string{"KexAlgorithms=+diffie-hellman-group1-sha1"}}, ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.KexAlgorithms[0], c.KexAlgorithms[len(c.KexAlgorithms)-1])
	// Output: mlkem768x25519-sha256 diffie-hellman-group1-sha1
}

func ExampleServer() {
	s, err := sshconfig.ParseServer(sshconfig.Sources{}, &sshconfig.ServerContext{Algorithms: defaults.Server()})
	fmt.Println(s.KexAlgorithms[0], err)
	// Output: mlkem768x25519-sha256 <nil>
}
