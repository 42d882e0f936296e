//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"os"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/login/sockets"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/internal/sshd/sftpserver"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// A pipe that has carried growAfter bytes carries bulk, and may hold growTo.
const (
	growAfter = 256 << 10
	growTo    = 1 << 20
)

// services are what a login process of this program can be, under a title that
// says so.
func services(title *room.Title) login.Services {
	return login.Services{
		SFTP: func(f *login.Files) int {
			title.Set("sshd: " + f.User + "@internal-sftp")
			return internalSFTP(f)
		},
		Sockets: func(user string, channel *os.File, service []byte, say func(v sshconfig.LogLevel, text string)) int {
			title.Set("sshd: " + user + "@forwards")
			return sockets.Main(channel, service, say)
		},
	}
}

// internalSFTP serves files in the login process, in place of a program.
func internalSFTP(f *login.Files) int {
	o, exit := sftpserver.Parse(f.Args[0], f.Args[1:])
	if exit != nil {
		os.Stdout.WriteString(exit.Out)
		os.Stderr.WriteString(exit.Err)
		return exit.Status
	}
	l, err := sftpserver.Logger(o, f.Args[0], os.Stderr)
	if err != nil {
		f.Say(sshconfig.Error, err.Error())
		return 255
	}
	defer l.Close()
	s := &sftpserver.Session{
		Account:  &account.Account{Name: f.User, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Home: f.Home},
		Database: account.System(), Client: f.Client,
		Log: func(v sshconfig.LogLevel, line string) {
			if f.NoLog && !o.Stderr && v <= o.Level {
				f.Say(v, line)
				return
			}
			l.Logf(v, "%s", line)
		},
	}
	in, out := rawio.Inherited(0, "stdin"), rawio.Inherited(1, "stdout")
	for _, f := range [...]*rawio.File{in, out} {
		f.GrowPipeAfter(growAfter, growTo, nil)
	}
	return sftpserver.Serve(context.Background(), in, out, o, s)
}
