//go:build unix

package ssh

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"golang.org/x/sys/unix"
)

// startBackground starts this program again as the process that will own the
// connection, and waits until it went to the background or ended. attach says
// that it is a master now, and that the session is ours to run.
func (r *run) startBackground() (status int, attach bool) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		r.log.Fatal("daemon() failed: %s", client.Strerror(err))
		return failure, false
	}
	defer ours.Close()
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		if self, err = os.Executable(); err != nil {
			r.log.Fatal("daemon() failed: %s", client.Strerror(err))
			return failure, false
		}
	}
	cmd := &exec.Cmd{Path: self, Args: os.Args, Stdin: r.io.In, Stdout: r.io.Out, Stderr: r.io.Err}
	cmd.Env = append(r.io.Env[:len(r.io.Env):len(r.io.Env)], backgroundEnv+"=3")
	cmd.ExtraFiles = []*os.File{theirs}

	// What the terminal sends goes to both of us: the child decides. What is
	// sent to us alone is passed on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		r.log.Fatal("daemon() failed: %s", client.Strerror(err))
		return failure, false
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM || s == syscall.SIGHUP {
				cmd.Process.Signal(s)
			}
		}
	}()
	var word [1]byte
	n, _ := ours.Read(word[:])
	signal.Stop(signals)
	if n == 1 {
		return 0, word[0] == 'p'
	}
	err = cmd.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return 0, false // it ended before there was anything to background
	}
	if w, ok := ended.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		tty.Raise(w.Signal())
	}
	return ended.ExitCode(), false
}

// detach begins a session without a terminal and points the standard files at
// /dev/null, standard error only where it has no debug log to take.
func detach(keepErr bool) error {
	if _, err := unix.Setsid(); err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if fd == 2 && keepErr {
			continue
		}
		if err := dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return nil
}

// dupNumber gives f's file a number that stays when the standard ones are
// taken away.
func dupNumber(f *os.File) int {
	n, err := unix.FcntlInt(uintptr(fileNumber(f)), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return n
}

// letGo gives the terminal back to the shell that started us and goes on in
// the background. There is no fork for it: we stop, as with ^Z, and have
// somebody continue us once the shell has seen it. Without a shell that knows
// jobs we go on where we are.
func letGo() {
	again := exec.Command("/bin/sh", "-c", "sleep 0.3; kill -CONT "+strconv.Itoa(os.Getpid()))
	if again.Start() != nil {
		return
	}
	tty.Suspend()
	again.Wait()
}
