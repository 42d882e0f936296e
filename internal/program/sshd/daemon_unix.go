//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"golang.org/x/sys/unix"
)

// daemonWord is the first argument of the process that stays in the
// background. It holds descriptor readyFD, and tells there that it listens.
const (
	daemonWord = "--daemon"
	readyFD    = 3
)

// self is the program of this process, also when its file has been replaced
// or deleted.
func self() string {
	const link = "/proc/self/exe"
	if _, err := os.Readlink(link); err == nil {
		return link
	}
	exe, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return exe
}

// background starts this program again, detached, with the same arguments,
// and waits for its word. Go cannot fork: what goes to the background must be
// the process that opens the sockets. The status is 0 only when it listens.
func background(io stdio.Stdio, args []string) int {
	r, w, err := os.Pipe()
	if err != nil {
		io.Errorf("sshd: %v", err)
		return 255
	}
	defer r.Close()
	p, err := os.StartProcess(self(), append([]string{"sshd", daemonWord}, args...), &os.ProcAttr{
		Env:   io.Env,
		Files: []*os.File{io.In, io.Out, io.Err, w},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	w.Close()
	if err != nil {
		io.Errorf("sshd: %v", err)
		return 255
	}
	var b [1]byte
	if n, _ := r.Read(b[:]); n == 1 {
		_ = p.Release()
		return 0
	}
	st, err := p.Wait()
	if err != nil || st.ExitCode() <= 0 {
		return 255
	}
	return st.ExitCode()
}

// ready tells the process that waits in the foreground, and lets go of what
// this one has from it: its terminal, its pipes and its directory.
func ready() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	defer unix.Close(null)
	for fd := range 3 {
		if err := dup2(null, fd); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	f := os.NewFile(readyFD, "ready")
	defer f.Close()
	_, err = f.Write([]byte{1})
	return err
}

// tidy makes a process what a server's has to be: no descriptor but its own
// reaches a child, no signal that our parent ignored is ignored there, nobody
// but the owner may write what is created.
func tidy() {
	login.CloseOnExec(3)
	unix.Umask(unix.Umask(0o022) | 0o022)
	for s := syscall.Signal(1); s < 32; s++ {
		if signal.Ignored(s) && s != syscall.SIGPIPE {
			// Caught signals are back at their default after exec.
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// absolute makes a path independent of the working directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
