//go:build unix

package notify

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// States of sd_notify(3).
const (
	Ready     = "READY=1"
	Reloading = "RELOADING=1"
	Stopping  = "STOPPING=1"
)

const (
	firstFile = 3  // SD_LISTEN_FDS_START
	maxFiles  = 64 // taken of those that are offered
	wait      = time.Second
)

// Send tells the manager the states, if there is one. With Reloading goes the
// time that it asks for.
func Send(getenv func(string) string, states ...string) error {
	path := getenv("NOTIFY_SOCKET")
	if path == "" || path[0] != '/' && path[0] != '@' {
		return nil
	}
	for i, s := range states {
		if s == Reloading {
			states[i] += "\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic(), 10)
		}
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(wait)) // a manager that does not listen stops nobody
	_, err = c.Write([]byte(strings.Join(states, "\n")))
	return err
}

// MainPID is the state that names the process to watch.
func MainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// monotonic is CLOCK_MONOTONIC in microseconds.
func monotonic() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return t.Nano() / 1000
}

// Files are the sockets that the manager has opened for this process, nil when
// there are none: they are meant for the process with the number that it says,
// not for its children.
func Files(getenv func(string) string) []*os.File {
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil
	}
	var list []*os.File
	for fd := firstFile; fd < firstFile+min(n, maxFiles); fd++ {
		unix.CloseOnExec(fd)
		list = append(list, os.NewFile(uintptr(fd), "socket"))
	}
	return list
}
