package sftpserver

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
)

// The test binary is the program too, under its name.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "sftp-server" {
		os.Exit(Main(context.Background(), stdio.Process(name), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// stockServer is OpenSSH's, "" where there is none.
func stockServer() string {
	for _, p := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}
