package sftpserver

import (
	"context"
	"io"
	"os"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/sftpserver"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// A pipe that has carried this much carries bulk, and may then hold more: of
// all that makes a transfer over pipes cheaper this is the largest part.
const (
	growAfter = 256 << 10
	growTo    = 1 << 20
)

// Main runs the program and returns its exit status.
func Main(ctx context.Context, std stdio.Stdio, args []string) int {
	o, exit := sftpserver.Parse(std.Name, args)
	if exit != nil {
		std.Out.WriteString(exit.Out)
		std.Err.WriteString(exit.Err)
		return exit.Status
	}
	untraceable()
	l, err := sftpserver.Logger(o, std.Name, std.Err)
	if err != nil {
		std.Errorf("%s: %v", std.Name, err)
		return 255
	}
	defer l.Close()
	client, err := sftpserver.Client(std.LookupEnv("SSH_CONNECTION"))
	if err != nil {
		l.Errorf("%v", err)
		return 255
	}
	s := &sftpserver.Session{Database: account.System(), Client: client,
		Log: func(v sshconfig.LogLevel, line string) { l.Logf(v, "%s", line) }}
	if s.Account = who(s.Database, std); s.Account == nil {
		l.Fatalf("No user found for uid %d", os.Getuid())
		std.Errorf("%s: no user found for uid %d", std.Name, os.Getuid())
		return 255
	}
	r, w := stream(std)
	return sftpserver.Serve(ctx, r, w, o, s)
}

// stream is standard input and output.
func stream(std stdio.Stdio) (io.Reader, io.Writer) {
	if std.In != os.Stdin || std.Out != os.Stdout { // of a test within this process
		return std.In, std.Out
	}
	in, out := rawio.Inherited(0, "stdin"), rawio.Inherited(1, "stdout")
	for _, f := range [...]*rawio.File{in, out} {
		f.GrowPipeAfter(growAfter, growTo, nil)
	}
	return in, out
}

// who is whose process this is, nil when nobody knows.
func who(d *account.Database, std stdio.Stdio) *account.Account {
	uid := os.Getuid()
	if uid < 0 { // no POSIX
		home, _ := os.UserHomeDir()
		return &account.Account{Name: std.Getenv("USERNAME"), Home: home}
	}
	a, err := d.LookupID(uint32(uid))
	if err != nil {
		return nil
	}
	return a
}
