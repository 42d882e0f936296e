//go:build unix

package listener

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// InheritWord names the environment variable by which a server hands its sockets
// to the version that takes its place: descriptor and address of each, then the
// numbers of children to be waited for.
const (
	InheritWord = "NACRE_SSHD_INHERIT"
	lobbyWait   = 3 * time.Second // for strangers to leave before an upgrade
)

// upgrade is SIGUSR2: the program on disk takes this process's place, with its
// sockets and its number. One that does not accept the configuration does not.
func (s *Server) upgrade() {
	lg := s.o.Log
	lg.Infof("Received SIGUSR2; upgrading.")
	if s.o.Upgrade == "" {
		lg.Errorf("not upgraded: this server cannot be")
		return
	}
	s.mu.Lock()
	list, sockets := s.generations, s.sockets
	s.mu.Unlock()
	for _, g := range list {
		if g.Pid == 0 {
			lg.Errorf("not upgraded: sessions live in this process; restart it when they have ended")
			return
		}
	}
	path := s.o.Upgrade
	if out, err := exec.Command(path, append([]string{"-t"}, s.o.Args...)...).CombinedOutput(); err != nil {
		lg.Errorf("not upgraded: %s -t: %v: %.200s", path, err, out)
		return
	}
	var words []string
	var fds []int
	for _, k := range sockets {
		_ = k.rc.Control(func(fd uintptr) {
			n, err := unix.FcntlInt(fd, unix.F_DUPFD, 3)
			if err == nil {
				fds = append(fds, n)
				words = append(words, strconv.Itoa(n)+"="+k.key)
			}
		})
	}
	for _, g := range list {
		words = append(words, "pid="+strconv.Itoa(g.Pid))
	}
	s.drainLobby()
	s.mu.Lock()
	s.dirty = true
	s.mu.Unlock()
	s.save()
	env := []string{InheritWord + "=" + strings.Join(words, " ")}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, InheritWord+"=") && !strings.HasPrefix(e, "LISTEN_") {
			env = append(env, e)
		}
	}
	syscall.ForkLock.Lock() // no child may have the descriptors
	err := syscall.Exec(path, slices.Concat([]string{path}, s.o.Before, s.o.Args), env)
	syscall.ForkLock.Unlock()
	for _, fd := range fds {
		unix.Close(fd)
	}
	lg.Errorf("not upgraded: %s: %v", path, err)
	s.setPaused(false)
}

// setPaused has the sockets accept nothing, or go on.
func (s *Server) setPaused(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var end time.Time
	if on {
		end = time.Unix(1, 0)
	}
	for _, k := range s.sockets {
		_ = k.f.SetReadDeadline(end)
	}
	s.paused = on
	s.changedLocked()
}

// drainLobby has nobody more come in, and waits until those in the lobby have
// left it: the system keeps those who come in the meantime.
func (s *Server) drainLobby() {
	s.setPaused(true)
	for end := time.Now().Add(lobbyWait); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		quiet := s.parked == len(s.sockets) && len(s.where) == 0
		s.mu.Unlock()
		if quiet {
			break
		}
	}
}

// inherited are the sockets of the version before, nil if there was none, and
// what the configuration calls them. Its children are waited for.
func inherited(getenv func(string) string) (files []*os.File, keys []string) {
	for _, w := range strings.Fields(getenv(InheritWord)) {
		what, value, _ := strings.Cut(w, "=")
		if what == "pid" {
			if pid, err := strconv.Atoi(value); err == nil && pid > 1 {
				go func() {
					for {
						if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
							return
						}
					}
				}()
			}
			continue
		}
		if fd, err := strconv.Atoi(what); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "socket"))
			keys = append(keys, value)
		}
	}
	if files != nil {
		os.Unsetenv(InheritWord)
	}
	return files, keys
}
