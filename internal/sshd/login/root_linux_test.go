package login

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/test/rows/world"
	"golang.org/x/sys/unix"
)

// The test binary is the login process too. Everything else runs in a world of
// its own, where there is root.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Word {
		os.Exit(Main(Services{SFTP: func(f *Files) int {
			fmt.Printf("%s %q %s %s nolog=%v\n", f.User, f.Args, f.Client, f.Home, f.NoLog)
			wd, _ := os.Getwd()
			fmt.Println(wd)
			f.Say(sshconfig.Info, "said")
			return 3
		}}))
	}
	world.Enter()
	os.Exit(m.Run())
}

func needWorld(t *testing.T) {
	t.Helper()
	if !world.Here() {
		t.Skip("not run as root: there is nobody to become")
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.ReplaceAll(l.b.String(), "\r\n", "\n")
}

// result is what a session did.
type result struct {
	out, err, log string
	fatal         bool
	Status
}

// run carries p out on pipes, with input on its standard input.
func run(t *testing.T, p *Plan, input string) result {
	t.Helper()
	var out, errs bytes.Buffer
	var files []*os.File
	var wg sync.WaitGroup
	for _, to := range []*bytes.Buffer{nil, &out, &errs} {
		r, w, err := os.Pipe()
		must(t, err)
		if to == nil {
			files = append(files, r)
			wg.Go(func() { io.WriteString(w, input); w.Close() })
		} else {
			files = append(files, w)
			wg.Go(func() { io.Copy(to, r); r.Close() })
		}
	}
	c, err := p.Command(files[0], files[1], files[2], false)
	must(t, err)
	proc, err := Spawn(c)
	for _, f := range files {
		f.Close()
	}
	must(t, err)
	var l lines
	lg, err := log.New(log.Config{Level: sshconfig.Debug3, Output: &l})
	must(t, err)
	r := result{fatal: c.Relay(lg.For(1))}
	r.Status = proc.Wait()
	wg.Wait()
	r.out, r.err, r.log = out.String(), errs.String(), l.String()
	return r
}

// screen is a session on a terminal.
type screen struct {
	t    *testing.T
	p    *pty.Pty
	proc *Process
	log  lines

	mu    sync.Mutex
	seen  []byte
	moved chan struct{}
	ended bool
}

// on carries p out on a terminal.
func on(t *testing.T, p *Plan) *screen {
	t.Helper()
	tt, err := pty.Open()
	must(t, err)
	if p.Identity != nil {
		must(t, tt.SetOwner(p.Identity.UID, p.Identity.GID, 0o600))
	}
	p.TTY = true
	c, err := p.Command(tt.Slave, tt.Slave, tt.Slave, true)
	must(t, err)
	s := &screen{t: t, p: tt, moved: make(chan struct{}, 1)}
	s.proc, err = Spawn(c)
	tt.Slave.Close()
	must(t, err)
	lg, err := log.New(log.Config{Level: sshconfig.Debug3, Output: &s.log})
	must(t, err)
	go c.Relay(lg.For(1))
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := tt.Master.Read(b)
			s.mu.Lock()
			s.seen = append(s.seen, b[:n]...)
			s.ended = err != nil
			s.mu.Unlock()
			select {
			case s.moved <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		tt.Master.Close()
		_ = syscall.Kill(-s.proc.Pid(), syscall.SIGKILL)
		s.proc.Wait()
	})
	return s
}

// expect waits for text and forgets what came up to it.
func (s *screen) expect(text string) string {
	s.t.Helper()
	for deadline := time.After(time.Minute); ; {
		s.mu.Lock()
		if i := bytes.Index(s.seen, []byte(text)); i >= 0 {
			before := string(s.seen[:i])
			s.seen = s.seen[i+len(text):]
			s.mu.Unlock()
			return before
		}
		seen, ended := string(s.seen), s.ended
		s.mu.Unlock()
		if ended {
			s.t.Fatalf("no %q in %q, and the end; log %q", text, seen, s.log.String())
		}
		select {
		case <-s.moved:
		case <-deadline:
			s.t.Fatalf("no %q in %q; log %q", text, seen, s.log.String())
		}
	}
}

func (s *screen) typed(text string) {
	s.t.Helper()
	_, err := s.p.Master.WriteString(text)
	must(s.t, err)
}

// ann is an account of the world, with groups beyond her own.
func ann(t *testing.T, shell string) *Plan {
	t.Helper()
	needWorld(t)
	must(t, world.Group("extra", 4100, "ann"))
	u := &world.User{Name: "ann", UID: 4001, Shell: shell}
	must(t, u.Add())
	return &Plan{
		User: "ann", Identity: &Identity{UID: 4001, GID: 4001, Groups: []uint32{4001, 4100}},
		Shell: shell, Home: "/home/ann", Early: []string{"USER=ann", "LOGNAME=ann", "HOME=/home/ann", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "SHELL=" + shell, "TERM=vt100"},
		RC: true, SystemRC: true, Nologin: true,
	}
}

func (p *Plan) does(command string) *Plan {
	p.setCommand(p.Shell, &command)
	return p
}

// The process has its user's ids, all of them, and no way back; nothing of the
// daemon's: descriptors, umask, signals, memory score, environment (HST-7,
// HST-8, HST-19).
func TestIdentity(t *testing.T) {
	p := ann(t, "/bin/sh").does(`grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb|NoNewPrivs|SigBlk|SigIgn)' /proc/self/status; umask; cat /proc/self/oom_score_adj; echo /proc/self/fd/*; ulimit -n; env | sort; pwd`)
	p.OOMScore = "123"
	defer unix.Umask(unix.Umask(0))
	f, err := os.Open("/") // a daemon's descriptor that is not close-on-exec
	must(t, err)
	defer f.Close()
	leaked, err := unix.Dup(int(f.Fd()))
	must(t, err)
	defer unix.Close(leaked)
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	// Whoever started the daemon may have left a signal of the C library's ignored.
	ignore, back := [4]uintptr{1}, [4]uintptr{}
	action := func(set, old *[4]uintptr) {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, 40, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	action(&ignore, &back)
	defer action(&back, nil)
	r := run(t, p, "")
	want := "Uid:\t4001\t4001\t4001\t4001\nGid:\t4001\t4001\t4001\t4001\nGroups:\t4001 4100 \n" +
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n" +
		"0022\n123\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n" // 3 is the directory that the shell reads
	got, rest, ok := strings.Cut(r.out, "/proc/self/fd/3\n")
	got += "/proc/self/fd/3\n"
	if !ok || got != want || r.err != "" || r.log != "" || r.Code != 0 {
		t.Errorf("%q\nwant %q\n%+v", got, want, r)
	}
	env := rest[strings.IndexByte(rest, '\n')+1:]
	if env != "HOME=/home/ann\nLOGNAME=ann\nPATH=/usr/bin:/bin:/usr/sbin:/sbin\nPWD=/home/ann\nSHELL=/bin/sh\nTERM=vt100\nUSER=ann\n/home/ann\n" {
		t.Errorf("%q", env)
	}
	// What PAM has given stays.
	must(t, unix.Setgroups([]int{4001, 4999}))
	defer unix.Setgroups([]int{0})
	p = ann(t, "/bin/sh").does(`grep Groups /proc/self/status; umask`)
	p.Identity.Groups, p.Identity.KeepGroups = nil, true
	unix.Umask(0o007)
	if r := run(t, p, ""); r.out != "Groups:\t4001 4999 \n0007\n" {
		t.Errorf("%+v", r)
	}
}

// Another account than one's own needs root.
func TestIdentityWithoutRoot(t *testing.T) {
	p := ann(t, "/bin/sh").does("id")
	p.Identity.UID = 4002
	var l lines
	cmd := exec.Command("/proc/self/exe", Word)
	plan, err := planFile(p.Marshal())
	must(t, err)
	r, w, err := os.Pipe()
	must(t, err)
	cmd.ExtraFiles = []*os.File{plan, w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4001, Gid: 4001}}
	cmd.Stdout = &l
	err = cmd.Run()
	w.Close()
	b, _ := io.ReadAll(r)
	if cmd.ProcessState.ExitCode() != 255 || l.String() != "" || !strings.Contains(string(b), "Failed to set uids to 4002.") {
		t.Errorf("%v %q %q", err, l.String(), b)
	}
}

// The descriptor of a plan that is none, and none at all.
func TestByHand(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", Word)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || string(out) != "sshd: this way of starting is for sshd itself\n" {
		t.Errorf("%v %q", cmd.ProcessState, out)
	}
}

// root makes a root directory that has what a shell needs.
func root(t *testing.T) string {
	t.Helper()
	dir := "/run/root"
	must(t, os.MkdirAll(dir, 0o755))
	for _, d := range []string{"bin", "usr", "lib", "lib64", "proc", "dev"} {
		if _, err := os.Stat("/" + d); err != nil {
			continue
		}
		to := filepath.Join(dir, d)
		must(t, os.MkdirAll(to, 0o755))
		must(t, unix.Mount("/"+d, to, "", unix.MS_BIND|unix.MS_REC, ""))
	}
	for _, d := range []string{"etc", "home/ann/.ssh", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	t.Cleanup(func() {
		for _, d := range []string{"bin", "usr", "lib", "lib64", "proc", "dev"} {
			unix.Unmount(filepath.Join(dir, d), unix.MNT_DETACH)
		}
		os.RemoveAll(dir)
	})
	return dir
}

// Only root may be able to change any part of a root directory (HST-6).
func TestChroot(t *testing.T) {
	p := ann(t, "/bin/sh")
	dir := root(t)
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	// All that the process looks at is looked for within.
	write("etc/motd", "inner motd\n")
	write("home/ann/.ssh/environment", "FILE=inner\n")
	write("home/ann/.ssh/rc", "echo rc\n")
	must(t, os.WriteFile("/etc/motd", []byte("outer\n"), 0o644))
	p.Chroot, p.EnvFile, p.Motd, p.Text = dir, "*", true, "hello\n"
	r := run(t, p.does("echo $FILE; pwd; echo /*; grep ^Uid /proc/self/status"), "")
	if r.out != "hello\ninner motd\nrc\ninner\n/home/ann\n/bin /dev /etc /home /lib /lib64 /proc /tmp /usr\nUid:\t4001\t4001\t4001\t4001\n" || r.log != "debug1: x" && r.log != "Changed root directory to \"/run/root\"\n" {
		t.Errorf("%+v", r)
	}
	// No home in there is no news; hushlogin within is looked at.
	p.Home, p.RC = "/nowhere", false
	if r := run(t, p.does("pwd"), ""); !strings.HasSuffix(r.out, "inner motd\n/\n") || r.err != "" {
		t.Errorf("%+v", r)
	}
	p.Home = "/home/ann"
	write("home/ann/.hushlogin", "")
	if r := run(t, p.does("pwd"), ""); r.out != "/home/ann\n" {
		t.Errorf("%+v", r)
	}
	write("etc/nologin", "closed\n")
	if r := run(t, p.does("pwd"), ""); r.err != "closed\n" || r.Code != 254 {
		t.Errorf("%+v", r)
	}
	os.Remove(filepath.Join(dir, "etc/nologin"))
	p.Role, p.Argv = SFTP, []string{"internal-sftp", "-R"}
	p.Late = []string{"SSH_CLIENT=192.0.2.7 1 2"}
	if r := run(t, p, ""); r.out != "ann [\"internal-sftp\" \"-R\"] 192.0.2.7 /home/ann nolog=true\n/home/ann\n" && !strings.Contains(r.out, "nolog=false") || !strings.HasSuffix(r.log, "said\n") || r.Code != 3 {
		t.Errorf("%+v", r)
	}

	bad := "/run/bad"
	must(t, os.MkdirAll(bad+"/in", 0o755))
	defer os.RemoveAll(bad)
	must(t, os.WriteFile(bad+"/file", nil, 0o644))
	must(t, os.Symlink("/run/root", bad+"/link"))
	must(t, os.Symlink("/home/ann", bad+"/theirs"))
	q := ann(t, "/bin/sh").does("echo in")
	for _, c := range []struct{ path, change, want string }{
		{bad + "/in", "", ""},
		{bad + "/in/", "", ""},
		{bad + "/in", "chmod g+w /run/bad/in", `bad ownership or modes for chroot directory "/run/bad/in"`},
		{bad + "/in", "chmod o+w /run/bad/in", `bad ownership or modes for chroot directory "/run/bad/in"`},
		{bad + "/in", "chown 4001 /run/bad/in", `bad ownership or modes for chroot directory "/run/bad/in"`},
		{bad + "/in", "chown 4001 /run/bad", `bad ownership or modes for chroot directory component "/run/bad/"`},
		{bad + "/in", "chmod 777 /run/bad", `bad ownership or modes for chroot directory component "/run/bad/"`},
		{bad + "/theirs", "", `bad ownership or modes for chroot directory "/run/bad/theirs"`},
		{bad + "/link", "", ""},
		{bad + "/file", "", `chroot path "/run/bad/file" is not a directory`},
		{bad + "/file/in", "", `chroot path component "/run/bad/file/" is not a directory`},
		{bad + "/none", "", `safely_chroot: stat("/run/bad/none"): No such file or directory`},
		{"relative", "", "chroot path does not begin at root"},
		{"/" + strings.Repeat("x", maxPath), "", "chroot path too long"},
	} {
		must(t, exec.Command("sh", "-c", "chown -R 0 /run/bad/in /run/bad; chmod 755 /run/bad /run/bad/in; "+c.change).Run())
		q.Chroot = c.path
		r := run(t, q, "")
		if c.want == "" {
			if strings.Contains(r.log, "bad ownership") || r.fatal {
				t.Errorf("%s: %+v", c.path, r)
			}
			continue
		}
		if r.log != c.want+"\n" && !(strings.Contains(c.path, "/file/") && strings.Contains(r.log, "stat(")) || !r.fatal || r.Code != 255 || r.out+r.err != "" {
			t.Errorf("%s %s: %+v", c.path, c.change, r)
		}
	}
	q.Identity, q.Chroot = nil, bad
	cmd := exec.Command("/proc/self/exe", Word) // not root
	plan, err := planFile(q.Marshal())
	must(t, err)
	rr, w, err := os.Pipe()
	must(t, err)
	cmd.ExtraFiles = []*os.File{plan, w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4001, Gid: 4001}}
	_ = cmd.Run()
	w.Close()
	if b, _ := io.ReadAll(rr); !strings.Contains(string(b), "server lacks privileges to chroot to ChrootDirectory") {
		t.Errorf("%q", b)
	}
}

// /etc/nologin, an expired password, a PAM session that is not open.
func TestRefusals(t *testing.T) {
	must(t, world.Group("x", 4900))
	p := ann(t, "/bin/sh").does("echo in")
	must(t, os.WriteFile("/etc/nologin", []byte("Going down\n"), 0o600))
	r := run(t, p, "")
	os.Remove("/etc/nologin")
	if r.Code != 254 || r.out != "" || r.log != "User ann not allowed because /etc/nologin exists\n" || r.fatal {
		t.Errorf("%+v", r) // its text may be read by root alone: the user reads it
	}
	must(t, os.WriteFile("/etc/nologin", []byte("Going down\n"), 0o644))
	r = run(t, p, "")
	p.Nologin = false // root, or PAM has looked
	r2 := run(t, p, "")
	os.Remove("/etc/nologin")
	if r.err != "Going down\n" || r.Code != 254 || r2.out != "in\n" {
		t.Errorf("%+v %+v", r, r2)
	}
	p.NotOpen, p.Text, p.Motd = true, "sorry\n", true
	if r := run(t, p, ""); r.out != "sorry\n" || r.Code != 254 || r.log != "debug3: PAM session not opened, exiting\n" {
		t.Errorf("%+v", r)
	}
	p.NotOpen, p.MustChange = false, true
	if r := run(t, p, ""); r.err != "WARNING: Your password has expired.\nPassword change required but no TTY available.\n" || r.Code != 1 || r.out != "" {
		t.Errorf("%+v", r)
	}
	s := on(t, p)
	s.expect("WARNING: Your password has expired.\r\nYou must change your password now and log in again!\r\n")
	s.expect("ann")       // passwd(1) says whose it is
	s.typed("\x03\x04\n") // and is left at that
	p = ann(t, "/bin/sh")
	p.Role, p.ExitCode, p.RefusalText, p.Argv = Refuse, 9, "no\n", nil
	if r := run(t, p, ""); r.out != "no\n" || r.Code != 9 {
		t.Errorf("%+v", r)
	}
}

// Messages, the file of variables and rc files, with two shells.
func TestBeforeTheProgram(t *testing.T) {
	for _, shell := range []string{"/bin/dash", "/bin/bash"} {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			p := ann(t, shell)
			u := &world.User{Name: "ann", UID: 4001, GID: 4001, Home: "/home/ann", Shell: shell}
			must(t, u.Write(".ssh/environment", "# x\n\n  FILE=1\nbroken\nUSER=file\nBAD=1\n"))
			must(t, u.Write(".ssh/rc", "read c; echo rc \"$c\" $FILE $PWD $LATE >&2; exit 3\n"))
			p.EnvFile, p.Late, p.X11, p.PrintEnv = "F*,USER,LATE", []string{"LATE=late"}, "MIT-MAGIC-COOKIE-1 00ff", true
			r := run(t, p.does(`echo $0 $FILE $USER "$BAD" $LATE`), "")
			if r.out != filepath.Base(shell)+" 1 file  late\n" || !strings.HasPrefix(r.err, "Bad line 4 in /home/ann/.ssh/environment\nEnvironment:\n  USER=file\n  LOGNAME=ann\n") ||
				!strings.HasSuffix(r.err, "rc MIT-MAGIC-COOKIE-1 00ff 1 /home/ann late\n") {
				t.Errorf("%+v", r)
			}
			// An account whose shell runs nothing runs no rc.
			q := *p
			q.Shell, q.PrintEnv, q.EnvFile = "/bin/false", false, ""
			if r := run(t, q.does("x"), ""); r.err != "" || r.Code != 1 {
				t.Errorf("%+v", r)
			}
			// The system's in place of it.
			must(t, os.MkdirAll("/etc/ssh", 0o755))
			must(t, os.WriteFile("/etc/ssh/sshrc", []byte("read c; echo \"system $c\"\n"), 0o644))
			defer os.Remove("/etc/ssh/sshrc")
			q = *p
			q.RC, q.PrintEnv, q.EnvFile, q.X11 = false, false, "", ""
			if r := run(t, q.does("echo in"), ""); r.out != "system \nin\n" {
				t.Errorf("%+v", r)
			}
			// And xauth in place of that.
			os.Remove("/etc/ssh/sshrc")
			must(t, os.WriteFile("/home/ann/xauth", []byte("#!/bin/sh\necho \"$@\"\ncat\n"), 0o755))
			q.X11, q.XAuth, q.XAuthDisplay = "MIT-MAGIC-COOKIE-1 00ff", "/home/ann/xauth", "unix:10.0"
			if r := run(t, q.does("echo in"), ""); r.out != "-q -\nremove unix:10.0\nadd unix:10.0 MIT-MAGIC-COOKIE-1 00ff\nin\n" {
				t.Errorf("%+v", r)
			}
			// Too many lines are fatal.
			must(t, u.Write(".ssh/environment", strings.Repeat("A=1\n", maxEnvLines)))
			q.EnvFile, q.X11 = "*", ""
			if r := run(t, q.does("echo in"), ""); r.out != "in\n" {
				t.Errorf("%+v", r)
			}
			must(t, u.Write(".ssh/environment", strings.Repeat("A=1\n", maxEnvLines+1)))
			if r := run(t, q.does("echo in"), ""); r.err != "Too many lines in environment file /home/ann/.ssh/environment\n" || r.Code != 255 {
				t.Errorf("%+v", r)
			}
			must(t, os.RemoveAll("/home/ann"))
		})
	}
}

// A program that cannot be, and a home that is not there.
func TestNoProgram(t *testing.T) {
	p := ann(t, "/bin/sh")
	p.Shell = "/nonexistent/sh"
	if r := run(t, p.does("x"), ""); r.err != "/nonexistent/sh: No such file or directory\n" || r.Code != 1 {
		t.Errorf("%+v", r)
	}
	p.Shell = "/etc/passwd"
	if r := run(t, p.does("x"), ""); r.err != "/etc/passwd: Permission denied\n" || r.Code != 1 {
		t.Errorf("%+v", r)
	}
	p.Shell = "/bin/" + strings.Repeat("x", maxShellName+1)
	if r := run(t, p.does("x"), ""); !strings.HasSuffix(r.err, ": Invalid argument\n") || r.Code != 1 {
		t.Errorf("%+v", r)
	}
	p = ann(t, "/bin/sh")
	p.Home = "/home/nobody-has-this"
	if r := run(t, p.does("pwd"), ""); r.out != "/\n" || r.err != "Could not chdir to home directory /home/nobody-has-this: No such file or directory\n" {
		t.Errorf("%+v", r)
	}
}

// A login shell on a terminal that controls it: job control works, and programs
// that insist on a terminal have one.
func TestTerminal(t *testing.T) {
	for _, shell := range []string{"/bin/dash", "/bin/bash"} {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			p := ann(t, shell)
			must(t, os.WriteFile("/etc/motd", []byte("the motd\n"), 0o644))
			p.setCommand(shell, nil)
			p.Text, p.Motd = "Last login: x\r\n", true
			s := on(t, p)
			if before := s.expect("the motd\r\n"); before != "Last login: x\r\r\n" && before != "Last login: x\r\n" {
				t.Errorf("%q", before)
			}
			s.typed("PS1='> '\n")
			s.expect("\r\n")
			s.typed("echo \"<$0> $(tty) $(ps -o pid=,pgid=,sid=,tpgid= -p $$ | awk '$1==$2 && $2==$3 {print \"leader\"}')\"\n")
			s.expect("\r\n")
			s.expect("<-" + filepath.Base(shell) + "> " + s.p.Name + " leader\r\n")
			s.typed("sh -c 'echo running; exec sleep 1000'\n")
			s.expect("running\r\n")
			s.typed("\x1a") // stops the job, not the shell
			s.expect("Stopped")
			s.typed("kill -KILL %1; wait; echo gone\n")
			s.expect("gone\r\n")
			s.typed("stty size >/dev/tty && echo on /dev/tty\n")
			s.expect("on /dev/tty\r\n")
			s.typed("exit 5\n")
			if st := s.proc.Wait(); st.Code != 5 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// sudo, su and tmux work: they need a terminal that controls the session,
// identities that can be raised, and a session of their own.
func TestSudoSuTmux(t *testing.T) {
	p := ann(t, "/bin/bash")
	for _, tool := range []string{"sudo", "su", "tmux", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this machine lacks %s", tool)
		}
	}
	hash, err := exec.Command("openssl", "passwd", "-6", "-salt", "abcdefgh", "secret").Output()
	must(t, err)
	must(t, (&world.User{Name: "ann", UID: 4001, Shell: "/bin/bash", Hash: strings.TrimSpace(string(hash))}).Add())
	must(t, (&world.User{Name: "bob", UID: 4002, Hash: strings.TrimSpace(string(hash))}).Add())
	must(t, os.MkdirAll("/etc/sudoers.d", 0o750))
	must(t, os.WriteFile("/etc/sudoers.d/ann", []byte("Defaults:ann use_pty,requiretty\nann ALL=(ALL) ALL\n"), 0o440))
	p.setCommand("/bin/bash", nil)
	s := on(t, p)
	s.typed("PS1='> '; stty -echo\n")
	s.typed("sudo -k; sudo sh -c 'echo \"sudo: $(id -u) $(tty)\"'\n")
	s.expect("password for ann:")
	s.typed("secret\n")
	s.expect("sudo: 0 /dev/pts/")
	s.expect("> ") // what is typed before goes to sudo
	s.typed("su bob -c 'echo \"su: $(id -un)\"'\n")
	s.expect("Password:")
	s.typed("secret\n")
	s.expect("su: bob\r\n")
	s.expect("> ")
	s.typed("export TMUX_TMPDIR=$HOME; tmux -f /dev/null new-session -d -s one 'echo in tmux $(id -un) > $HOME/tmuxed; exec sleep 1000' && tmux has-session -t one && echo has one\n")
	s.expect("has one\r\n")
	s.expect("> ")
	s.typed("until grep -q ann $HOME/tmuxed; do sleep 0.05; done 2>/dev/null; cat $HOME/tmuxed\n")
	s.expect("in tmux ann\r\n")
	s.expect("> ")
	s.typed("tmux attach -t one \\; detach; echo back\n")
	s.expect("detached (from session one)")
	s.expect("back\r\n")
	pid := strings.TrimSpace(output(t, "pgrep", "-u", "4001", "-x", "sleep"))
	s.typed("exit\n")
	s.expect("logout")
	s.proc.Wait()
	// The session of tmux outlives the one that began it.
	if _, err := os.Stat("/proc/" + pid); pid == "" || err != nil {
		t.Errorf("%q %v", pid, err)
	}
	if n, err := strconv.Atoi(pid); err == nil {
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(b)
}

// Signals are sent with the user's rights: what the user could not stop, the
// client cannot.
func TestSignalRights(t *testing.T) {
	p := ann(t, "/bin/sh")
	files, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	must(t, err)
	defer files.Close()
	start := func(uid uint32) *Process {
		c, err := p.does("trap '' HUP; exec sleep 1000").Command(files, files, files, false)
		must(t, err)
		c.UID = uid
		proc, err := Spawn(c)
		must(t, err)
		c.Relay(nil)
		return proc
	}
	proc := start(4002)
	if err := proc.Signal("KILL"); err != syscall.EPERM {
		t.Errorf("somebody else's: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Error("the process has lost its rights")
	}
	for _, name := range []string{"STOP", "SEGV", "", "SIGTERM"} {
		if err := proc.Signal(name); err != ErrSignal {
			t.Errorf("%q: %v", name, err)
		}
	}
	must(t, syscall.Kill(proc.Pid(), syscall.SIGKILL))
	if st := proc.Wait(); st.Signal != "KILL" {
		t.Errorf("%+v", st)
	}
	if err := proc.Signal("TERM"); err != os.ErrProcessDone {
		t.Errorf("a number that is free: %v", err)
	}
	proc = start(4001)
	must(t, proc.Signal("TERM"))
	if st := proc.Wait(); st.Signal != "TERM" {
		t.Errorf("%+v", st)
	}
}
