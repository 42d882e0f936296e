//go:build linux

package ssh

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience bounds what a failing test waits.
const patience = 10 * time.Second

// person sits at a terminal of his own, on which the program runs.
type person struct {
	t      *testing.T
	p      *peer
	dir    string
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File  // kept open, to look at the settings
	shown  chan byte // what the screen shows
	before unix.Termios
}

// sit starts ssh with args on a fresh terminal.
func sit(t *testing.T, p *peer, args ...string) *person {
	t.Helper()
	dir := t.TempDir()
	bin := install(t, p, dir)
	return sitAt(t, p, dir, bin, args...)
}

func sitAt(t *testing.T, p *peer, dir, bin string, args ...string) *person {
	t.Helper()
	x := &person{t: t, p: p, dir: dir}
	var err error
	if x.master, x.slave, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	pty.Setsize(x.master, &pty.Winsize{Rows: 24, Cols: 80, X: 800, Y: 480})
	x.before = x.settings()
	x.cmd = exec.Command(bin, append([]string{"-F", filepath.Join(dir, "cfg")}, args...)...)
	x.cmd.Dir = dir
	x.cmd.Env = append(os.Environ(), "TERM=xterm-test", "SSH_AUTH_SOCK=", "DISPLAY=", "SSH_ASKPASS_REQUIRE=", "SHELL=/bin/sh")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = x.slave, x.slave, x.slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x.shown = make(chan byte, 64<<10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(x.shown)
		buf := make([]byte, 4<<10)
		for {
			n, err := x.master.Read(buf)
			for _, c := range buf[:n] {
				x.shown <- c
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.cmd.Wait()
		x.slave.Close() // the last one: the master's reader gets its end
		<-done
		x.master.Close()
	})
	return x
}

// expect reads up to text.
func (x *person) expect(text string) string {
	x.t.Helper()
	var b strings.Builder
	late := time.NewTimer(patience)
	defer late.Stop()
	for !strings.HasSuffix(b.String(), text) {
		select {
		case c, ok := <-x.shown:
			if !ok {
				x.t.Fatalf("waiting for %q: the end after %q", text, b.String())
			}
			b.WriteByte(c)
		case <-late.C:
			x.t.Fatalf("waiting for %q: nothing more after %q", text, b.String())
		}
	}
	return b.String()
}

func (x *person) write(text string) {
	x.t.Helper()
	if _, err := x.master.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

func (x *person) settings() unix.Termios {
	x.t.Helper()
	s, err := unix.IoctlGetTermios(int(x.slave.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return *s
}

// raw says whether the terminal is in raw mode.
func (x *person) raw() bool { return x.settings().Lflag&(unix.ICANON|unix.ISIG|unix.ECHO) == 0 }

// ends waits for the end of the program and compares its status and the
// terminal's settings with those before.
func (x *person) ends(status int) {
	x.t.Helper()
	err := x.cmd.Wait()
	got := x.cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if w := exit.Sys().(syscall.WaitStatus); w.Signaled() {
			got = -int(w.Signal())
		}
	}
	if got != status {
		x.t.Errorf("ended with %d, want %d", got, status)
	}
	if x.settings() != x.before {
		x.t.Errorf("terminal settings differ after the end:\n%+v\n%+v", x.settings(), x.before)
	}
}

func TestShell(t *testing.T) {
	x := sit(t, startPeer(t), "peer")
	x.expect("ready>")
	if !x.raw() {
		t.Error("the terminal is not in raw mode")
	}
	if notes := x.p.notes(); !strings.HasPrefix(notes, "pty xterm-test 80x24 800x480 modes 81000096008000009600010000000302") {
		t.Errorf("pty-req: %s", notes)
	}
	x.write("a\x03\x1a~~x")
	x.expect("[61][03][1a][7e][7e][78]")
	pty.Setsize(x.master, &pty.Winsize{Rows: 50, Cols: 132})
	x.expect("<window 132x50>")
	x.write("\x04")
	x.expect("Connection to 127.0.0.1 closed.")
	x.ends(7)
}

func TestEscapes(t *testing.T) {
	x := sit(t, startPeer(t), "peer")
	x.expect("ready>")
	x.write("~?")
	x.expect("~?\r\nSupported escape sequences:\r\n ~.   - terminate connection (and any multiplexed sessions)\r\n")
	x.expect("(Note that escapes are only recognized immediately after newline.)\r\n")
	x.write("~#")
	x.expect("~#\r\nThe following connections are open:\r\n  #0 client-session (")
	x.write("~B")
	x.expect("~B\r\n")
	x.expect("<break 1000>")
	x.write("~v")
	x.expect("~v [LogLevel VERBOSE]\r\n")
	x.write("~V")
	x.expect("~V [LogLevel INFO]\r\n")
	x.write("~C")
	x.expect("commandline disabled\r\n")
	x.write("~I")
	x.expect("Connection information for 127.0.0.1 pid ")
	x.expect("  kexalgorithm ")
	x.expect(" out\r\n")
	x.write("~R")
	x.write("~~\r")
	x.expect("[7e][0d]")
	x.write("~.")
	x.expect("Connection to 127.0.0.1 closed.")
	x.ends(255)
}

// TestEscapeToBackground: without a shell that knows jobs the program goes on
// where it is; the remote shell sees the end of its input.
// TestCommandLine: the escape ~C adds and cancels forwards and runs commands
// here, where that is permitted.
func TestCommandLine(t *testing.T) {
	p := startPeer(t)
	x := sit(t, p, "-o", "EnableEscapeCommandline=yes", "-o", "PermitLocalCommand=yes", "peer")
	x.expect("ready>")
	port := freePort(t)
	typing := func() {
		t.Helper()
		for end := time.Now().Add(patience); !x.raw(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the terminal stays in its own mode")
			}
		}
	}
	say := func(line string, answers ...string) {
		t.Helper()
		typing()
		x.write("\r~C")
		x.expect("ssh> ")
		x.write(line + "\n")
		for _, a := range answers {
			x.expect(a)
		}
	}
	say("-h", "Commands:", "      -L[bind_address:]port:host:hostport    Request local forward",
		"      -KD[bind_address:]port                 Cancel dynamic forward", "      !args                                  Execute local command\r")
	say(fmt.Sprintf("-L 127.0.0.1:%d:127.0.0.1:%d", port, p.port), "Forwarding port.")
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	word := make([]byte, 8)
	if _, err := io.ReadFull(c, word); err != nil || string(word) != "SSH-2.0-" {
		t.Errorf("through the forward came %q, %v", word, err)
	}
	x.write("\r~#")
	x.expect(fmt.Sprintf("direct-tcpip: listening port %d for 127.0.0.1 port %d, connect from 127.0.0.1 port ", port, p.port))
	c.Close()
	say(fmt.Sprintf("-KL 127.0.0.1:%d", port+1), "Unknown port forwarding.")
	say(fmt.Sprintf("-KD 127.0.0.1:%d", port), "Unknown port forwarding.")
	say(fmt.Sprintf("-KL 127.0.0.1:%d", port), "Canceled forwarding.")
	if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		c.Close()
		t.Error("is listened on after the cancel")
	}
	say(fmt.Sprintf("-D %d", port), "Forwarding port.")
	say(fmt.Sprintf("-KD%d", port), "Canceled forwarding.")
	say("-R 0:127.0.0.1:1", "Allocated port ", "Forwarding port.")
	say("-X", "Invalid command.")
	say("-L 1", "Bad local forwarding specification.")
	say("-R 1:2:3:4:5", "Bad remote forwarding specification.")
	say("-KL x", "Bad forwarding close specification.")
	say("!echo he\"\"llo", "hello\r\n")
	typing()
	x.write("\rq\x04")
	x.expect("[71]")
	x.ends(7)
}

// freePort is a port of the loopback address that nobody has now.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestEscapeToBackground(t *testing.T) {
	x := sit(t, startPeer(t), "peer")
	x.expect("ready>")
	x.write("~&")
	x.expect("~& [backgrounded]")
	x.expect("Connection to 127.0.0.1 closed.")
	x.ends(7)
}

func TestOtherEscapeCharacter(t *testing.T) {
	x := sit(t, startPeer(t), "-e", "^A", "peer")
	x.expect("ready>")
	x.write("~.")
	x.expect("[7e][2e]")
	x.write("\r\x01.")
	x.expect("Connection to 127.0.0.1 closed.")
	x.ends(255)
	x = sit(t, startPeer(t), "-e", "none", "peer")
	x.expect("ready>")
	x.write("\r~.\x04")
	x.expect("[0d][7e][2e]")
	x.ends(7)
}

// TestEndsRestore: whatever ends the program, the terminal is as it was.
func TestEndsRestore(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		x := sit(t, startPeer(t), "-o", "LogLevel=VERBOSE", "peer")
		x.expect("ready>")
		if !x.raw() {
			t.Error("the terminal is not in raw mode")
		}
		x.cmd.Process.Signal(s)
		x.expect("Killed by signal ")
		x.ends(255)
	}
	x := sit(t, startPeer(t), "peer")
	x.expect("ready>")
	x.p.server.Close()
	x.expect("Connection to 127.0.0.1 closed")
	x.ends(255)
}

func TestSuspend(t *testing.T) {
	x := sit(t, startPeer(t), "peer")
	x.expect("ready>")
	x.write("~\x1a")
	x.expect("~^Z [suspend ssh]\r\n")
	var w syscall.WaitStatus
	// The group is orphaned, so SIGTSTP does nothing by itself; the terminal
	// was put back for it all the same, and is in raw mode again now.
	if pid, _ := syscall.Wait4(x.cmd.Process.Pid, &w, syscall.WUNTRACED|syscall.WNOHANG, nil); pid > 0 && w.Stopped() {
		if x.raw() {
			t.Error("raw mode while suspended")
		}
		syscall.Kill(x.cmd.Process.Pid, syscall.SIGCONT)
	}
	x.expect("<window 80x24>")
	x.write("z\x04")
	x.expect("[7a]")
	x.ends(7)
}

func TestLocalInterrupt(t *testing.T) {
	x := sit(t, startPeer(t), "-v", "peer", "echo input")
	x.expect("ready>")
	if x.raw() {
		t.Error("raw mode without a remote terminal")
	}
	x.write("\x03")
	x.expect("Killed by signal 2.")
	x.ends(255)
}

func TestPasswordPrompt(t *testing.T) {
	x := sit(t, startPeer(t), "-o", "PreferredAuthentications=password", "peer", "echo in")
	x.expect("\rann@127.0.0.1's password: ")
	if s := x.settings(); s.Lflag&unix.ECHO != 0 || s.Lflag&unix.ICANON == 0 {
		t.Error("echo is on while a password is asked for")
	}
	x.write("wrong\n")
	x.expect("Permission denied, please try again.")
	x.expect("ann@127.0.0.1's password: ")
	x.write(peerPassword + "\n")
	if got := x.expect("in\r\n"); strings.Contains(got, peerPassword) {
		t.Errorf("the password is shown: %q", got)
	}
	x.ends(0)

	x = sit(t, startPeer(t), "-o", "PreferredAuthentications=password", "peer", "true")
	x.expect("password: ")
	x.write("\x03")
	x.ends(-int(syscall.SIGINT))
}

func TestInteractivePrompt(t *testing.T) {
	x := sit(t, startPeer(t), "-o", "PreferredAuthentications=keyboard-interactive", "peer", "echo in")
	x.expect("Token\r")
	x.expect("Look at it.\r")
	x.expect("(ann@127.0.0.1) Code: ")
	x.write("123456\n")
	x.expect(`(ann@127.0.0.1) Shown\007: `)
	x.write("seen\n")
	x.expect("seen\r\n")
	x.expect("in\r\n")
	x.ends(0)
}

func TestHostKeyQuestion(t *testing.T) {
	x := sit(t, startPeer(t), "-o", "UserKnownHostsFile=new", "-o", "StrictHostKeyChecking=ask", "peer", "echo in")
	got := x.expect("Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
	if !strings.Contains(got, "The authenticity of host '"+x.p.name()+" ("+x.p.name()+")' can't be established.\r\nED25519 key fingerprint is: SHA256:") {
		t.Errorf("asked %q", got)
	}
	x.write("maybe\n")
	x.expect("Please type 'yes', 'no' or the fingerprint: ")
	x.write("  YES \n")
	x.expect("Warning: Permanently added '" + x.p.name() + "' (ED25519) to the list of known hosts.")
	x.expect("in\r\n")
	x.ends(0)
}

func TestPassphrasePrompt(t *testing.T) {
	p := startPeer(t)
	dir := t.TempDir()
	bin := install(t, p, dir)
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", "frase", "-f", filepath.Join(dir, "key")).CombinedOutput(); err != nil {
		t.Skipf("no stock ssh-keygen to encrypt a key: %v %s", err, out)
	}
	x := sitAt(t, p, dir, bin, "peer", "echo in")
	x.expect("Enter passphrase for key '" + filepath.Join(dir, "key") + "': ")
	x.write("wrong\n")
	x.expect("Enter passphrase for key '" + filepath.Join(dir, "key") + "': ")
	x.write("frase\n")
	x.expect("in\r\n")
	x.ends(0)
}

// TestBackgroundPrompt: the process that will be in the background asks too.
func TestBackgroundPrompt(t *testing.T) {
	x := sit(t, startPeer(t), "-f", "-o", "PreferredAuthentications=password", "peer", "echo late >late")
	x.expect("ann@127.0.0.1's password: ")
	x.write(peerPassword + "\n")
	x.ends(0)
	x = sit(t, startPeer(t), "-f", "-o", "PreferredAuthentications=password", "peer", "true")
	x.expect("password: ")
	x.write("\x03")
	x.ends(-int(syscall.SIGINT))
}

// TestPanicRestores: a broken invariant of ours leaves no raw terminal behind.
func TestPanicRestores(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	l := &loop{term: &terminal{f: slave}}
	if err := l.term.raw(); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() != "broken" {
				t.Error("the panic was swallowed")
			}
		}()
		defer l.guard()
		panic("broken")
	}()
	if s, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); s.Lflag&unix.ICANON == 0 {
		t.Error("the terminal is still in raw mode")
	}
}
