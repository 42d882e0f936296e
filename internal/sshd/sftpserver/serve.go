package sftpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/files"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sftp"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// reserve is how many descriptors are not the client's: the standard ones,
	// the log, the runtime's, account files, a folder that is being read.
	reserve = 32
	// fewest is how many files a session may have open whatever the system says;
	// what it does not give is an answer of "Failure".
	fewest = 8
	// most bounds what the handles of one session can cost in memory.
	most = 16384
)

// Statuses of a process that serves, as OpenSSH's.
const (
	statusOK     = 0
	statusIO     = 1   // reading or writing the stream failed
	statusPacket = 11  // a packet that cannot be one
	statusFatal  = 255 // the protocol
)

// Session is who is served.
type Session struct {
	Account  *account.Account
	Database *account.Database
	// Client is the address the log names, "" for UNKNOWN.
	Client string
	// Log is given lines with what the client sent as it came: it escapes, as
	// package internal/sshd/log does. nil logs nothing.
	Log func(v sshconfig.LogLevel, line string)
}

// Logger is the log that o asks for: standard error, or the system's log under
// the program's name.
func Logger(o *Options, program string, stderr io.Writer) (*log.Logger, error) {
	c := log.Config{Level: o.Level, Facility: o.Facility, Program: program}
	if o.Stderr {
		c.Output = stderr
	}
	return log.New(c)
}

// Client is the address in SSH_CONNECTION, "" when the variable is unset.
func Client(connection string, set bool) (string, error) {
	if !set {
		return "", nil
	}
	addr, _, ok := strings.Cut(connection, " ")
	if !ok {
		return "", fmt.Errorf("Malformed SSH_CONNECTION variable: \"%s\"", connection)
	}
	return addr, nil
}

// Serve serves one session over r and w until r ends or ctx does, and returns
// the status for the process to exit with. ctx can only end a read when r is a
// Closer.
func Serve(ctx context.Context, r io.Reader, w io.Writer, o *Options, s *Session) int {
	logf := func(v sshconfig.LogLevel, format string, args ...any) {
		if s.Log != nil && v <= o.Level {
			s.Log(v, fmt.Sprintf(format, args...))
		}
	}
	client := s.Client
	if client == "" {
		client = "UNKNOWN"
	}
	if c, ok := r.(io.Closer); ok {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
	}
	if o.Umask >= 0 {
		files.Umask(o.Umask)
	}
	logf(sshconfig.Info, "session opened for local user %s from [%s]", s.Account.Name, client)
	if o.StartDir != "" {
		dir, err := startDir(o.StartDir, s)
		if err != nil {
			logf(sshconfig.Fatal, "%v", err)
			return statusFatal
		}
		if err := os.Chdir(dir); err != nil {
			logf(sshconfig.Error, "chdir to \"%s\" failed: %s", dir, reason.Of(err))
		}
	}
	server := &sftp.Server{
		FS:         &files.Tree{Account: s.Account, Database: s.Database},
		ReadOnly:   o.ReadOnly,
		Deny:       o.Deny,
		MaxHandles: handles(files.DescriptorLimit()),
		Now:        time.Now,
	}
	if s.Log != nil && o.Level >= sshconfig.Error {
		server.LogEscapes = true
		server.LogLevel = sftp.Level(o.Level - sshconfig.Error)
		server.Log = func(l sftp.Level, line string) { s.Log(sshconfig.Error+sshconfig.LogLevel(l), line) }
	}
	err := server.Serve(r, w)
	status := statusOK
	switch {
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil:
	case errors.Is(err, sftp.ErrPacketSize):
		logf(sshconfig.Error, "bad message from %s local user %s", client, s.Account.Name)
		status = statusPacket
	case errors.Is(err, sftp.ErrNoInit):
		logf(sshconfig.Fatal, "%v", err)
		status = statusFatal
	default:
		logf(sshconfig.Error, "%v", err)
		status = statusIO
	}
	logf(sshconfig.Info, "session closed for local user %s from [%s]", s.Account.Name, client)
	return status
}

// handles is how many files a session may have open when the process may have
// limit descriptors; 0 is unknown.
func handles(limit uint64) int {
	switch {
	case limit == 0:
		return sftp.DefaultHandles
	case limit < reserve+fewest:
		return fewest
	}
	return int(min(limit-reserve, most))
}

// startDir expands what -d says: ~ and ~user at its beginning, %d the home,
// %u the name, %% a percent sign.
func startDir(dir string, s *Session) (string, error) {
	if strings.HasPrefix(dir, "~") {
		user, rest, _ := strings.Cut(dir[1:], "/")
		a := s.Account
		if user != "" {
			var err error
			if a, err = s.Database.Lookup(user); err != nil {
				return "", fmt.Errorf("tilde_expand: No such user %s", user)
			}
		}
		dir = strings.TrimSuffix(a.Home, "/") + "/" + rest
	}
	var b strings.Builder
	for i := 0; i < len(dir); i++ {
		if dir[i] != '%' {
			b.WriteByte(dir[i])
			continue
		}
		i++
		switch {
		case i < len(dir) && dir[i] == '%':
			b.WriteByte('%')
		case i < len(dir) && dir[i] == 'd':
			b.WriteString(s.Account.Home)
		case i < len(dir) && dir[i] == 'u':
			b.WriteString(s.Account.Name)
		default:
			return "", fmt.Errorf("-d %s: only %%d, %%u and %%%% may be used", dir)
		}
	}
	return b.String(), nil
}
