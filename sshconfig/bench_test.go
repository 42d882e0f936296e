package sshconfig

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkReadServer(b *testing.B) {
	var data bytes.Buffer
	for i := 0; i < 10000; i++ {
		fmt.Fprintf(&data, "Match User user%d Address 10.0.0.0/8\n MaxSessions %d\n", i, i)
	}
	for b.Loop() {
		if _, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: data.Bytes()}}}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadClient(b *testing.B) {
	data := []byte("Host *.example\n User a\n Port 2222\nHost *\n ServerAliveInterval 30\n IdentityFile ~/.ssh/id\n")
	ctx := ClientContext{Host: "h.example", LocalUser: "u", Home: "/home/u"}
	for b.Loop() {
		if _, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: data}}}, &ctx); err != nil {
			b.Fatal(err)
		}
	}
}
