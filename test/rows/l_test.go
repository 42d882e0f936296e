//go:build unix

package rows

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// L01: the second login through a shared connection needs no authentication,
// with every pair of a master and a passenger.
func TestL01_Sharing(t *testing.T) {
	for _, c := range []struct{ master, passenger string }{{"ssh", "ssh"}, {"ssh", stock}, {stock, "ssh"}, {ten, "ssh"}, {"ssh", ten}} {
		t.Run(fmt.Sprint(filepath.Base(filepath.Dir(c.master)), "-", filepath.Base(filepath.Dir(c.passenger))), func(t *testing.T) {
			p := newPlace(t)
			p.need("curl")
			master, passenger := p.tool(c.master), p.tool(c.passenger)
			s := p.start("openssh")
			sockets := filepath.Join(p.dir, "s")
			os.Mkdir(sockets, 0o700)
			conf := p.known(s, "ControlMaster auto", "ControlPersist yes", "ControlPath "+sockets+"/socket-%r@%h:%p")
			if o := p.run(append(master, "-F", conf, "host", "echo first; exit 3")...); o.code != 3 || o.out != "first\n" {
				t.Fatalf("%+v", o)
			}
			defer p.run(append(master, "-F", conf, "-O", "exit", "host")...)
			ride := func(argv ...string) outcome {
				t.Helper()
				return p.run(append(append(passenger[:len(passenger):len(passenger)], "-F", conf), argv...)...)
			}
			if o := ride("-O", "check", "host"); o.code != 0 || !strings.HasPrefix(o.err, "Master running (pid=") {
				t.Errorf("%+v", o)
			}
			if st, err := os.Stat(sockets + fmt.Sprintf("/socket-%s@127.0.0.1:%d", p.w.User, s.Port)); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("the socket: %v, %v", st, err)
			}
			if o := ride("host", "echo out; echo err >&2; exit 7"); o.code != 7 || o.out != "out\n" || o.err != "err\n" {
				t.Errorf("%+v", o)
			}
			if o := ride("host", "head -c 3000000 /dev/zero"); o.code != 0 || len(o.out) != 3000000 {
				t.Errorf("%d bytes, %d, %s", len(o.out), o.code, o.err)
			}
			if o := ride("host", "kill -9 $$"); o.code != 255 {
				t.Errorf("%+v", o)
			}
			if o := ride("-tt", "host", "test -t 0 && test -t 1 && echo tty"); o.code != 0 || strings.TrimSpace(o.out) != "tty" || o.err != "Shared connection to 127.0.0.1 closed.\n" {
				t.Errorf("%+v", o)
			}
			far := p.greeter()
			in := p.file("in", "hello")
			if o := p.run("/bin/sh", "-c", strings.Join(append(passenger, "-F", conf, "-W", at("127.0.0.1", far), "host", "<", in), " ")); o.code != 0 || o.out != "220 far\r\n5 bytes\r\n" {
				t.Errorf("%+v", o)
			}
			port := p.free()
			if o := ride("-L", fmt.Sprintf("%d:127.0.0.1:%d", port, far), "host", "true"); o.code != 0 {
				t.Errorf("%+v", o)
			}
			p.greeted(at("127.0.0.1", port), 7)
			if n := logins(s); n != 1 {
				t.Errorf("%d logins, want one\n%s", n, s.Log())
			}
			if o := ride("-O", "stop", "host"); o.code != 0 || o.err != "Stop listening request sent.\n" {
				t.Errorf("%+v", o)
			}
			if o := ride("-O", "check", "host"); o.code != 255 || !strings.HasPrefix(o.err, "Control socket connect(") {
				t.Errorf("%+v", o)
			}
			p.await("that the connection ends: nobody can use it", func() bool { return strings.Contains(s.Log(), "Disconnected from user") })
		})
	}
}

// ten is OpenSSH 10.0.
const ten = "peers/openssh-10"

// tool is how a client of that name is called.
func (p *place) tool(name string) []string {
	if name != ten {
		return []string{name}
	}
	root, err := filepath.Abs("../../build/peers/openssh-10")
	if err != nil {
		p.Fatal(err)
	}
	bin := filepath.Join(root, "usr/bin/ssh")
	if _, err := os.Stat(bin); err != nil {
		p.Skip("peer lacks itself: OpenSSH 10 is not under build/peers: make peers")
	}
	return []string{bin}
}

// L02: how long a connection stays.
func TestL02_Persist(t *testing.T) {
	for _, c := range []struct {
		persist     string
		after, late bool
	}{{"no", false, false}, {"3", true, false}, {"yes", true, true}} {
		t.Run(c.persist, func(t *testing.T) {
			p := newPlace(t)
			s := p.start("openssh")
			conf := p.known(s, "ControlMaster auto", "ControlPersist "+c.persist, "ControlPath "+p.dir+"/c")
			check := func() bool { return p.run("ssh", "-F", conf, "-O", "check", "host").code == 0 }
			if o := p.run("ssh", "-F", conf, "host", "true"); o.code != 0 {
				t.Fatalf("%+v", o)
			}
			if got := check(); got != c.after && c.persist != "3" { // it may have been a slow three seconds
				t.Errorf("afterwards a master is there: %v", got)
			}
			if !c.late {
				p.await("that the master goes", func() bool { return !check() })
				p.await("its connection's end", func() bool { return strings.Contains(s.Log(), "Disconnected from user") })
				return
			}
			time.Sleep(4 * time.Second)
			if !check() {
				t.Error("the master has gone")
			}
			p.run("ssh", "-F", conf, "-O", "exit", "host")
			p.await("that the master goes", func() bool { return !check() })
		})
	}
}

// GLB-9: a socket that nobody answers at is replaced, by auto and by yes; a
// master that is asleep is found out and replaced, and leaves when it wakes.
func TestL_Wedged(t *testing.T) {
	p := newPlace(t)
	s := p.start("openssh")
	control := p.dir + "/c"
	for _, how := range []string{"auto", "yes"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: control, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		conf := p.known(s, "ControlMaster "+how, "ControlPersist yes", "ControlPath "+control)
		if o := p.run("ssh", "-F", conf, "host", "echo yes"); o.code != 0 || o.out != "yes\n" || o.err != "" {
			t.Errorf("%s: %+v", how, o)
		}
		pid := 0
		o := p.run("ssh", "-F", conf, "-O", "check", "host")
		if fmt.Sscanf(o.err, "Master running (pid=%d)", &pid); pid == 0 {
			t.Fatalf("%s: no master came: %+v", how, o)
		}
		syscall.Kill(pid, syscall.SIGSTOP)
		if o := p.run("ssh", "-F", conf, "host", "echo again"); o.code != 0 || o.out != "again\n" || o.err != "" {
			t.Errorf("%s: %+v", how, o)
		}
		next := 0
		if fmt.Sscanf(p.run("ssh", "-F", conf, "-O", "check", "host").err, "Master running (pid=%d)", &next); next == 0 || next == pid {
			t.Errorf("%s: master %d after %d", how, next, pid)
		}
		syscall.Kill(pid, syscall.SIGCONT)
		p.await("that the old master goes", func() bool { return gone(pid) })
		if o := p.run("ssh", "-F", conf, "-O", "exit", "host"); o.code != 0 {
			t.Errorf("%s: %+v", how, o)
		}
		p.await("that the new master goes", func() bool { return gone(next) })
	}
	// A server that does not answer, behind a master that does.
	conf := p.known(s, "ControlMaster auto", "ControlPersist yes", "ControlPath "+control)
	if o := p.run("ssh", "-F", conf, "host", "true"); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	pid := 0
	fmt.Sscanf(p.run("ssh", "-F", conf, "-O", "check", "host").err, "Master running (pid=%d)", &pid)
	stopServer(t, s.Port, syscall.SIGSTOP)
	p.start("openssh") // nothing of it is needed: the listener of s goes on
	o := p.run("ssh", "-F", conf, "host", "echo again")
	stopServer(t, s.Port, syscall.SIGCONT)
	if o.code != 0 || o.out != "again\n" {
		t.Errorf("%+v", o)
	}
	p.run("ssh", "-F", conf, "-O", "exit", "host")
	p.await("that the old master goes", func() bool { return gone(pid) })
}

// gone reports whether a process has ended, if only its parent does not know.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// stopServer stops or continues the processes of a server's connections, not
// the one that listens.
func stopServer(t *testing.T, port int, sig syscall.Signal) {
	t.Helper()
	found := 0
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		b, _ := os.ReadFile(name)
		if !strings.Contains(string(b), "sshd: ") || strings.Contains(string(b), "listener") {
			continue
		}
		var pid, parent int
		fmt.Sscanf(name, "/proc/%d/", &pid)
		for at := pid; at > 1; at = parent { // of that server?
			st, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", at))
			if err != nil {
				break
			}
			fields := strings.Fields(string(st[strings.LastIndexByte(string(st), ')')+1:]))
			fmt.Sscan(fields[1], &parent)
			if c, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", parent)); strings.Contains(string(c), fmt.Sprintf("sshd_config_openssh_%d", port)) {
				syscall.Kill(pid, sig)
				found++
				break
			}
		}
	}
	if found == 0 {
		t.Fatal("no process of the server's connection was found")
	}
}
