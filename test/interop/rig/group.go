package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Group is a control group: what was started in it, and what that started,
// is accounted together, also after it ended. A nil Group is no group.
type Group struct {
	dir string
	v1  bool
}

var groupNumber atomic.Int64

// cpuRoot finds where groups that count CPU time may be made: the cpuacct
// hierarchy of version 1, or version 2, whose every group counts.
func cpuRoot() (dir string, v1, ok bool) {
	for _, d := range []string{"/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct"} {
		if _, err := os.Stat(filepath.Join(d, "cpuacct.usage")); err == nil {
			return d, true, true
		}
	}
	for _, d := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(d, "cgroup.controllers")); err == nil {
			return d, false, true
		}
	}
	return "", false, false
}

// GroupKind says in words how CPU time is counted here.
func GroupKind() string {
	switch _, v1, ok := cpuRoot(); {
	case !ok:
		return "none"
	case v1:
		return "cgroup v1 cpuacct"
	default:
		return "cgroup v2 cpu.stat"
	}
}

// NewGroup makes an empty group. It needs root and control groups.
func NewGroup() (*Group, error) {
	root, v1, ok := cpuRoot()
	if !ok {
		return nil, fmt.Errorf("rig: no control groups here: CPU time cannot be counted")
	}
	dir := filepath.Join(root, fmt.Sprintf("nacre-rig-%d-%d", os.Getpid(), groupNumber.Add(1)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("rig: control group: %w", err)
	}
	return &Group{dir: dir, v1: v1}, nil
}

// command is exec.Command, with the program started inside the group.
func (g *Group) command(argv []string) *exec.Cmd {
	if g == nil {
		return exec.Command(argv[0], argv[1:]...)
	}
	// The shell moves itself and becomes the program: nothing of the program
	// runs outside.
	args := append([]string{"-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}, argv...)
	return exec.Command("/bin/sh", args...)
}

// Command returns argv as a command that will run inside the group.
func (g *Group) Command(argv ...string) *exec.Cmd { return g.command(argv) }

// CPU returns the time that everything in the group used so far, user and
// system.
func (g *Group) CPU() time.Duration {
	if g == nil {
		return 0
	}
	if g.v1 {
		b, err := os.ReadFile(filepath.Join(g.dir, "cpuacct.usage"))
		if err != nil {
			return 0
		}
		n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
		return time.Duration(n)
	}
	b, err := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Duration(n) * time.Microsecond
		}
	}
	return 0
}

// PIDs returns who is in the group now.
func (g *Group) PIDs() []int {
	b, err := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// PrivateDirty sums the memory that nobody outside shares, in bytes, over
// everybody in the group.
func (g *Group) PrivateDirty() int64 {
	var sum int64
	for _, pid := range g.PIDs() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "Private_Dirty:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
				sum += n << 10
			}
		}
	}
	return sum
}

// Close takes the group away; whoever is still in it is ended first.
func (g *Group) Close() {
	if g == nil {
		return
	}
	for range 100 {
		for _, pid := range g.PIDs() {
			if p, err := os.FindProcess(pid); err == nil {
				p.Kill()
			}
		}
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
