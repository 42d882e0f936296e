//go:build linux

package tty

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// openPTY gives both ends of a fresh pseudo-terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	m, s, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); s.Close() })
	return m, s
}

// stockModes is what OpenSSH 9.2 sends in pty-req from a fresh Linux
// pseudo-terminal.
const stockModes = "81000096008000009600" +
	"0100000003020000001c030000007f0400000015050000000406000000ff07000000ff08000000110900000013" +
	"0a0000001a0c000000120d000000170e00000016120000000f" +
	"1e000000001f00000000200000000021000000002200000000230000000024000000012500000000" +
	"26000000012700000000280000000029000000002a00000000" +
	"320000000133000000013400000000350000000136000000013700000001380000000039000000003a00000000" +
	"3b000000013c000000013d000000013e00000000" +
	"46000000014700000000480000000149000000004a000000004b00000000" +
	"5a000000015b000000015c000000005d0000000000"

func TestModesAsStock(t *testing.T) {
	_, slave := openPTY(t)
	s, err := GetState(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(s.Modes()); got != stockModes {
		t.Errorf("modes\n got %s\nwant %s", got, stockModes)
	}
}

func TestModesTable(t *testing.T) {
	seen := map[byte]bool{}
	for _, m := range modes {
		if seen[m.op] {
			t.Errorf("opcode %d stands twice", m.op)
		}
		seen[m.op] = true
		if m.op == opEnd || m.op >= opISpeed {
			t.Errorf("opcode %d is not one for the table", m.op)
		}
	}
}

func TestApply(t *testing.T) {
	_, slave := openPTY(t)
	fd := int(slave.Fd())
	unknown, err := Apply(fd, []byte{
		129, 0, 0, 0x25, 0x80, 128, 0, 0, 0x25, 0x80, // 9600
		1, 0, 0, 0, 255, // no interrupt character
		2, 0, 0, 0, 7,
		53, 0, 0, 0, 0, // no echo
		42, 0, 0, 0, 1, // UTF-8
		99, 0, 0, 0, 1, // nobody knows
		0,
		54, 0, 0, 0, 0, // behind the end
	})
	if err != nil || !bytes.Equal(unknown, []byte{99}) {
		t.Fatalf("Apply: unknown %v, %v", unknown, err)
	}
	s, err := GetState(fd)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("8100009600"+"8000009600", "81000025808000002580",
		"0100000003", "01000000ff", "020000001c", "0200000007", "2a00000000", "2a00000001", "3500000001", "3500000000").Replace(stockModes)
	if got := hex.EncodeToString(s.Modes()); got != want {
		t.Errorf("after Apply\n got %s\nwant %s", got, want)
	}
	for _, cut := range [][]byte{nil, {0}, {1}, {1, 0, 0, 0}, {160, 0, 0, 0, 1, 53, 0, 0, 0, 1}, bytes.Repeat([]byte{99, 0, 0, 0, 1}, MaxModes)} {
		if _, err := Apply(fd, cut); err != nil {
			t.Errorf("Apply(%.20x): %v", cut, err)
		}
	}
	if got, _ := GetState(fd); !bytes.Equal(got.Modes(), s.Modes()) {
		t.Error("cut-off or foreign modes changed settings")
	}
}

func FuzzApply(f *testing.F) {
	b, _ := hex.DecodeString(stockModes)
	f.Add(b)
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		applyModes(&s, b)
		again := s
		applyModes(&again, s.Modes())
		if !bytes.Equal(again.Modes(), s.Modes()) {
			t.Errorf("modes do not survive a round: %x, %x", s.Modes(), again.Modes())
		}
	})
}

func TestRawAndBack(t *testing.T) {
	_, slave := openPTY(t)
	fd := int(slave.Fd())
	before, err := Raw(fd)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := GetState(fd)
	modes := hex.EncodeToString(raw.Modes())
	for _, set := range []string{"1e00000001", "2400000000", "2600000000", "3200000000", "3300000000", "3500000000", "3b00000000", "4600000000"} {
		if !strings.Contains(modes, set) {
			t.Errorf("raw mode lacks %s: %s", set, modes)
		}
	}
	if err := before.Restore(fd); err != nil {
		t.Fatal(err)
	}
	if after, _ := GetState(fd); *after != *before {
		t.Error("Restore did not bring the settings back")
	}
	if _, err := Raw(-1); err == nil {
		t.Error("Raw of no descriptor succeeds")
	}
}

func TestSize(t *testing.T) {
	master, slave := openPTY(t)
	pty.Setsize(master, &pty.Winsize{Rows: 50, Cols: 132, X: 1000, Y: 800})
	got, err := GetSize(int(slave.Fd()))
	if want := (Size{132, 50, 1000, 800}); err != nil || got != want {
		t.Errorf("GetSize = %v, %v; want %v", got, err, want)
	}
	r, _, _ := os.Pipe()
	defer r.Close()
	if IsTerminal(int(r.Fd())) || !IsTerminal(int(slave.Fd())) {
		t.Error("IsTerminal confuses a pipe and a terminal")
	}
}

func TestOnResize(t *testing.T) {
	told := make(chan bool, 1)
	stop := OnResize(func() {
		select {
		case told <- true:
		default:
		}
	})
	syscall.Kill(os.Getpid(), syscall.SIGWINCH)
	<-told
	stop()
}

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"abc\ndef", "abc", nil}, {"\n", "", nil}, {"abc\r", "abc", nil}, {"abc", "abc", nil}, {"", "", io.EOF},
		{long + "\n", long, nil}, {long + "yz\nnext", long, nil},
	} {
		got, err := readLine(strings.NewReader(c.in))
		if string(got) != c.want || err != c.err {
			t.Errorf("readLine(%.20q) = %.20q, %v; want %.20q, %v", c.in, got, err, c.want, c.err)
		}
	}
}

// TestMain becomes a process that asks, when told so: Ask needs a terminal of
// its own and may end the process.
func TestMain(m *testing.M) {
	switch os.Getenv("TTY_TEST_ASK") {
	case "":
		os.Exit(m.Run())
	case "shell":
		shell()
		os.Exit(0)
	}
	t, err := Open()
	if err != nil {
		os.Stdout.WriteString("no terminal\n")
		os.Exit(3)
	}
	answer, err := Ask(t, Question{Prompt: "Secret: ", Echo: os.Getenv("TTY_TEST_ASK") == "echo"})
	s, _ := GetState(0)
	os.Stdout.WriteString("answer " + string(answer) + "\n")
	if err != nil {
		os.Stdout.WriteString("error " + err.Error() + "\n")
	}
	if s.flags(lflag)&syscall.ECHO != 0 {
		os.Stdout.WriteString("echo is on\n")
	}
	os.Exit(0)
}

// shell asks in a job of its own, as a shell would start it, tells when that
// stops and continues it.
func shell() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TTY_TEST_ASK=secret")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		os.Stdout.WriteString(err.Error())
		return
	}
	for {
		var w syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &w, syscall.WUNTRACED, nil); err != nil || !w.Stopped() {
			return
		}
		s, _ := GetState(0)
		word := "stopped"
		if s.flags(lflag)&syscall.ECHO == 0 {
			word = "stopped without echo"
		}
		os.Stdout.WriteString(word + "\n")
		syscall.Kill(cmd.Process.Pid, syscall.SIGCONT)
	}
}

// startAsking starts this binary so on a terminal of its own and waits for
// the question.
func startAsking(t *testing.T, how string) (*exec.Cmd, *os.File, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TTY_TEST_ASK="+how)
	master, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); cmd.Process.Kill(); cmd.Wait() })
	r := bufio.NewReader(master)
	expect(t, r, "\rSecret: ")
	return cmd, master, r
}

// expect reads up to text and fails if the end comes first.
func expect(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), text) {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatalf("waiting for %q: %v after %q", text, err, b.String())
		}
		b.WriteByte(c)
	}
	return b.String()
}

func TestAsk(t *testing.T) {
	_, master, r := startAsking(t, "secret")
	master.WriteString("pass word\n")
	if got := expect(t, r, "echo is on\r\n"); got != "\r\nanswer pass word\r\necho is on\r\n" {
		t.Errorf("got %q", got)
	}
	_, master, r = startAsking(t, "echo")
	master.WriteString("shown\n")
	if got := expect(t, r, "echo is on\r\n"); got != "shown\r\nanswer shown\r\necho is on\r\n" {
		t.Errorf("got %q", got)
	}
	_, master, r = startAsking(t, "secret")
	master.WriteString("\x04")
	if got := expect(t, r, "echo is on\r\n"); got != "\r\nanswer \r\nerror EOF\r\necho is on\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestAskInterrupted(t *testing.T) {
	cmd, master, _ := startAsking(t, "secret")
	slave, err := os.OpenFile(ttyName(t, master), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if s, _ := GetState(int(slave.Fd())); s.flags(lflag)&syscall.ECHO != 0 {
		t.Error("echo is on while a secret is asked for")
	}
	master.WriteString("\x03")
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("^C: %v, want death by SIGINT", err)
	}
	if s, _ := GetState(int(slave.Fd())); s.flags(lflag)&syscall.ECHO == 0 {
		t.Error("echo is off after death by ^C")
	}
}

// TestAskStopped: ^Z in a job of a shell stops it, with the terminal as it
// was; continued, it asks again.
func TestAskStopped(t *testing.T) {
	_, master, r := startAsking(t, "shell")
	master.WriteString("\x1a")
	expect(t, r, "stopped\r\n")
	expect(t, r, "\rSecret: ")
	master.WriteString("again\n")
	expect(t, r, "answer again\r\necho is on\r\n")
}

// TestAskSuspended: nobody could continue an orphaned process group, so it
// goes on.
func TestAskSuspended(t *testing.T) {
	cmd, master, r := startAsking(t, "secret")
	slave, err := os.OpenFile(ttyName(t, master), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	syscall.Kill(cmd.Process.Pid, syscall.SIGTSTP) // the typed one has no shell to wait for it: an orphaned group ignores it
	syscall.Kill(cmd.Process.Pid, syscall.SIGCONT)
	expect(t, r, "\rSecret: ") // asked again
	if s, _ := GetState(int(slave.Fd())); s.flags(lflag)&syscall.ECHO != 0 {
		t.Error("echo is on after a suspension")
	}
	master.WriteString("again\n")
	expect(t, r, "answer again\r\necho is on\r\n")
}

func ttyName(t *testing.T, master *os.File) string {
	t.Helper()
	c, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	c.Control(func(fd uintptr) { name, err = ptsName(int(fd)) })
	if err != nil {
		t.Fatal(err)
	}
	return name
}
