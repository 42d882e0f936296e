//go:build linux || darwin || freebsd || openbsd

package sftpserver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/sftp"
)

// server is an sftp-server under test, ours or the machine's, in a folder of
// its own.
type server struct {
	t       *testing.T
	name    string
	dir     string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     io.Reader
	log     bytes.Buffer
	id      uint32
	handles map[string][]byte
	dead    bool
}

// ours is the command of our sftp-server.
func ours(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "sftp-server"
	return cmd
}

func startServer(t *testing.T, name string, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{t: t, name: name, dir: t.TempDir(), cmd: cmd, handles: map[string][]byte{}}
	if cmd.Dir == "" {
		cmd.Dir = s.dir
	}
	cmd.Env = append(os.Environ(), "TZ=UTC", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22")
	cmd.Stderr = &s.log
	var err error
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if s.out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end() })
	return s
}

// end ends the server and returns its log.
func (s *server) end() string {
	if s.dead {
		return s.log.String()
	}
	s.dead = true
	s.in.Close()
	io.Copy(io.Discard, s.out)
	_ = s.cmd.Wait()
	return s.log.String()
}

// ask sends q and returns the answer.
func (s *server) ask(q sftp.Request) *sftp.Reply {
	s.t.Helper()
	s.id++
	if q.Op != sftp.OpInit {
		q.ID = s.id
	}
	if _, err := s.in.Write(q.Append(nil)); err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, q.Op, err)
	}
	var head [4]byte
	if _, err := io.ReadFull(s.out, head[:]); err != nil {
		s.t.Fatalf("%s: %s: %v\n%s", s.name, q.Op, err, s.log.String())
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(s.out, b); err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, q.Op, err)
	}
	p := new(sftp.Reply)
	if err := p.Decode(b); err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, q.Op, err)
	}
	if p.ID != q.ID {
		s.t.Fatalf("%s: %s %d was answered with id %d", s.name, q.Op, q.ID, p.ID)
	}
	return p
}

// A step is one request of a recorded session. Handles have names: H is what
// the request's own answer is kept as, Use and Use2 what it speaks of. DIR in
// paths is the folder of the server under test.
type step struct {
	q         sftp.Request
	H         string
	Use, Use2 string
	// differs says why the answers are not the same, and so are not compared.
	differs string
	do      func(dir string) // instead of a request: something happens there
}

// run sends the step and returns the answer as it is compared.
func (s *server) run(st step) string {
	s.t.Helper()
	if st.do != nil {
		st.do(s.dir)
		return ""
	}
	q := st.q
	q.Path = strings.ReplaceAll(q.Path, "DIR", s.dir)
	q.Target = strings.ReplaceAll(q.Target, "DIR", s.dir)
	if st.Use != "" {
		q.Handle = s.handles[st.Use]
	}
	if st.Use2 != "" {
		q.Handle2 = s.handles[st.Use2]
	}
	p := s.ask(q)
	if p.Kind == sftp.ReplyHandle {
		if st.H != "" {
			s.handles[st.H] = bytes.Clone(p.Handle)
		}
		p.Handle = nil
	}
	sort.Slice(p.Names, func(i, j int) bool { return p.Names[i].Name < p.Names[j].Name })
	for i := range p.Names {
		e := &p.Names[i]
		s.hideTimes(&e.Attr)
		e.Attr.ATime = 0                     // to list a folder is to read it
		if e.Name == "." || e.Name == ".." { // of the folders around, other things are there
			e.Attr.Size, e.Longname = 0, ""
		}
	}
	s.hideTimes(&p.Attr)
	return strings.ReplaceAll(fmt.Sprintf("%+v", *p), s.dir, "DIR")
}

// hideTimes leaves out times of now: those of a test are from long ago.
func (s *server) hideTimes(a *sftp.Attr) {
	const old = 1e9
	if a.ATime > old {
		a.ATime = 0
	}
	if a.MTime > old {
		a.MTime = 0
	}
}

func attr(flags sftp.AttrFlags, mode uint32) sftp.Attr { return sftp.Attr{Flags: flags, Mode: mode} }

// script is a session that meets every request, good and bad.
func script() (list []step) {
	add := func(steps ...step) { list = append(list, steps...) }
	req := func(op sftp.Op, path string, more ...string) step {
		st := step{q: sftp.Request{Op: op, Path: path}}
		if len(more) > 0 {
			st.q.Target = more[0]
		}
		return st
	}
	open := func(h, path string, flags sftp.OpenFlags) step {
		return step{q: sftp.Request{Op: sftp.OpOpen, Path: path, Flags: flags}, H: h}
	}
	on := func(op sftp.Op, h string) step { return step{q: sftp.Request{Op: op}, Use: h} }
	write := func(h string, off uint64, data string) step {
		return step{q: sftp.Request{Op: sftp.OpWrite, Offset: off, Data: []byte(data)}, Use: h}
	}
	read := func(h string, off, n uint64) step {
		return step{q: sftp.Request{Op: sftp.OpRead, Offset: off, Length: n}, Use: h}
	}
	set := func(op sftp.Op, path string, a sftp.Attr) step {
		return step{q: sftp.Request{Op: op, Path: path, Attr: a}}
	}
	const rw, rwc = sftp.OpenRead | sftp.OpenWrite, sftp.OpenRead | sftp.OpenWrite | sftp.OpenCreate
	const old = 999999999
	const shorter = "there is less than is to be copied: the draft says EOF, and so does OpenSSH when it takes more than a piece"
	times := sftp.Attr{Flags: sftp.AttrACModTime, ATime: 100000000, MTime: old}

	// Files.
	add(open("a", "a", rwc), write("a", 0, "hello"), write("a", 10, "world"), read("a", 0, 100), read("a", 7, 2), read("a", 15, 1), read("a", 100, 1), read("a", 0, 0),
		step{q: sftp.Request{Op: sftp.OpFsetstat, Attr: times}, Use: "a"}, on(sftp.OpFstat, "a"), on(sftp.OpFsync, "a"),
		read("a", 1<<63, 1), write("a", 1<<63, "x"),
		step{q: sftp.Request{Op: sftp.OpRead, Offset: 1 << 62, Length: 1}, Use: "a", differs: "beyond what the file system can: OpenSSH's lseek says BAD_MESSAGE, pread says that nothing is there"},
		on(sftp.OpClose, "a"), on(sftp.OpClose, "a"), read("a", 0, 1), write("a", 0, "x"), on(sftp.OpFstat, "a"), on(sftp.OpFsync, "a"), on(sftp.OpReaddir, "a"), on(sftp.OpFstatVFS, "a"),
		step{q: sftp.Request{Op: sftp.OpFsetstat, Attr: times}, Use: "a"})
	add(open("r", "a", sftp.OpenRead), write("r", 0, "x"), on(sftp.OpClose, "r"), open("w", "a", sftp.OpenWrite), read("w", 0, 1), on(sftp.OpClose, "w"),
		open("0", "a", 0), read("0", 0, 3), on(sftp.OpClose, "0"))
	add(open("p", "a", sftp.OpenWrite|sftp.OpenAppend), write("p", 0, "tail"), write("p", 1<<40, "more"), on(sftp.OpClose, "p"), req(sftp.OpStat, "a"))
	add(open("t", "a", sftp.OpenWrite|sftp.OpenTruncate), on(sftp.OpClose, "t"), req(sftp.OpStat, "a"))
	add(open("x", "a", rwc|sftp.OpenExcl), open("", "none", sftp.OpenRead), open("", "a/b", rwc), open("", "no/b", rwc), open("", "", sftp.OpenRead), open("", ".", sftp.OpenWrite),
		open("d", ".", sftp.OpenRead), read("d", 0, 10), on(sftp.OpClose, "d"))
	for _, mode := range []uint32{0, 0o600, 0o644, 0o777, 0o4755, 0o7777, 0o100644} {
		st := open("m", fmt.Sprintf("mode%o", mode), rwc)
		st.q.Attr = attr(sftp.AttrPermissions, mode)
		add(st, on(sftp.OpFstat, "m"), on(sftp.OpClose, "m"))
	}
	// Attributes.
	add(set(sftp.OpSetstat, "a", sftp.Attr{Flags: sftp.AttrSize, Size: 1000}), req(sftp.OpStat, "a"), set(sftp.OpSetstat, "a", attr(sftp.AttrPermissions, 0o640)), req(sftp.OpLstat, "a"),
		set(sftp.OpSetstat, "a", times), req(sftp.OpStat, "a"), set(sftp.OpSetstat, "a", sftp.Attr{Flags: sftp.AttrUIDGID, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}),
		set(sftp.OpSetstat, "a", sftp.Attr{Flags: sftp.AttrUIDGID, UID: 1<<32 - 1, GID: 1<<32 - 1}), req(sftp.OpStat, "a"),
		set(sftp.OpSetstat, "a", sftp.Attr{}), set(sftp.OpSetstat, "none", sftp.Attr{}), set(sftp.OpSetstat, "none", times), set(sftp.OpSetstat, "none", attr(sftp.AttrPermissions, 0)),
		set(sftp.OpSetstat, "a", sftp.Attr{Flags: sftp.AttrSize, Size: 1 << 63}), set(sftp.OpSetstat, ".", sftp.Attr{Flags: sftp.AttrSize, Size: 1}),
		set(sftp.OpSetstat, ".", sftp.Attr{Flags: sftp.AttrSize | sftp.AttrPermissions, Size: 1, Mode: 0o700}))
	// Links.
	add(req(sftp.OpSymlink, "l", "a"), req(sftp.OpSymlink, "l", "b"), req(sftp.OpReadlink, "l"), req(sftp.OpReadlink, "a"), req(sftp.OpReadlink, "none"), req(sftp.OpLstat, "l"), req(sftp.OpStat, "l"),
		req(sftp.OpSymlink, "dangling", "nowhere"), req(sftp.OpStat, "dangling"), req(sftp.OpLstat, "dangling"), req(sftp.OpSymlink, "loop", "loop"), req(sftp.OpStat, "loop"), req(sftp.OpRealpath, "loop"),
		req(sftp.OpRealpath, "dangling"), req(sftp.OpSymlink, "up", ".."), req(sftp.OpRealpath, "up/x"), req(sftp.OpSymlink, "", "x"), req(sftp.OpSymlink, "empty", ""),
		set(sftp.OpLsetstat, "l", times), req(sftp.OpLstat, "l"), set(sftp.OpLsetstat, "l", attr(sftp.AttrPermissions, 0o600)), set(sftp.OpLsetstat, "a", attr(sftp.AttrPermissions, 0o600)),
		set(sftp.OpLsetstat, "l", sftp.Attr{Flags: sftp.AttrUIDGID, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}), set(sftp.OpLsetstat, "l", sftp.Attr{Flags: sftp.AttrSize}),
		req(sftp.OpHardlink, "a", "h"), req(sftp.OpHardlink, "a", "h"), req(sftp.OpHardlink, "none", "i"), req(sftp.OpHardlink, ".", "i"), req(sftp.OpStat, "h"))
	// Folders.
	add(set(sftp.OpMkdir, "d", sftp.Attr{}), set(sftp.OpMkdir, "d", sftp.Attr{}), set(sftp.OpMkdir, "d/e", attr(sftp.AttrPermissions, 0o40750)), set(sftp.OpMkdir, "no/e", sftp.Attr{}), set(sftp.OpMkdir, "a/e", sftp.Attr{}),
		set(sftp.OpMkdir, "", sftp.Attr{}), req(sftp.OpStat, "d/e"), req(sftp.OpRmdir, "d"), req(sftp.OpRmdir, "a"), req(sftp.OpRmdir, "none"), req(sftp.OpRmdir, "d/e/."), req(sftp.OpRemove, "d"), req(sftp.OpRemove, "none"))
	opendir := func(h, path string) step {
		return step{q: sftp.Request{Op: sftp.OpOpendir, Path: path}, H: h}
	}
	add(set(sftp.OpSetstat, "a", times), set(sftp.OpSetstat, "d/e", times),
		opendir("list", "."), on(sftp.OpReaddir, "list"), on(sftp.OpReaddir, "list"), on(sftp.OpFstat, "list"), read("list", 0, 1), on(sftp.OpClose, "list"), on(sftp.OpReaddir, "list"),
		opendir("", "a"), opendir("", "none"), opendir("", ""), opendir("empty", "d/e"), on(sftp.OpReaddir, "empty"), on(sftp.OpReaddir, "empty"), on(sftp.OpClose, "empty"))
	// Names.
	for _, path := range []string{"", ".", "..", "/", "//", "/..", "DIR", "DIR/", "DIR/./d/../d/e/", "a", "a/", "a/.", "a/..", "a/b", "none", "none/", "none/x", "d/e/none", "/none", "/usr/../etc/passwd", strings.Repeat("x", 300), strings.Repeat("d/../", 500)} {
		add(req(sftp.OpRealpath, path))
	}
	for _, path := range []string{"", ".", "~", "~/", "~/x", "~root", "~root/x", "~nosuchuser", "~nosuchuser/x", "a", "/etc/..", "none/x"} {
		add(req(sftp.OpExpandPath, path))
	}
	add(step{q: sftp.Request{Op: sftp.OpHomeDirectory}, differs: "OpenSSH 9.2 does not take the empty name for one's own yet"}, req(sftp.OpHomeDirectory, "root"), req(sftp.OpHomeDirectory, "nosuchuser"))
	add(step{q: sftp.Request{Op: sftp.OpUsersGroupsByID, UIDs: []byte{0, 0, 0, 0, 0x7f, 0, 0, 1, 0, 0, 0, 1}, GIDs: []byte{0, 0, 0, 0, 0x7f, 0, 0, 1}}}, step{q: sftp.Request{Op: sftp.OpUsersGroupsByID}})
	// Renaming.
	add(req(sftp.OpRename, "a", "h2"), req(sftp.OpRename, "h2", "l"), req(sftp.OpRename, "h2", "h2"), req(sftp.OpRename, "none", "x"), req(sftp.OpRename, "h2", "no/x"), req(sftp.OpRename, "h2", "d"),
		req(sftp.OpRename, "h2", "h2/x"), req(sftp.OpRename, "d/e", "f"), req(sftp.OpRename, "f", "d"), req(sftp.OpRename, "d", "d/x"), req(sftp.OpRename, "l", "l2"), req(sftp.OpRename, "h2", "dangling"),
		step{q: sftp.Request{Op: sftp.OpRename, Path: "f", Target: "dangling"}, differs: "OpenSSH looks whether the target is there, through the link; ours never replaces"},
		req(sftp.OpMkdir, "f2"), req(sftp.OpPosixRename, "h2", "h3"), req(sftp.OpPosixRename, "h3", "l2"), req(sftp.OpPosixRename, "l2", "f2"), req(sftp.OpPosixRename, "none", "x"), req(sftp.OpPosixRename, "f2", "l2"),
		req(sftp.OpPosixRename, "d", "f2"), req(sftp.OpStat, "l2"))
	// The file system.
	add(req(sftp.OpStatVFS, "none"), req(sftp.OpStatVFS, "no/x"), step{q: sftp.Request{Op: sftp.OpLimits}, differs: "Go raises the limit of descriptors, and of it more are kept back"})
	// Copying.
	add(open("c", "copy", rwc), write("c", 0, "0123456789"), open("c2", "copy2", rwc),
		step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "c", Use2: "c2"}, read("c2", 0, 100),
		step{q: sftp.Request{Op: sftp.OpCopyData, Offset: 5, Length: 3, Offset2: 20}, Use: "c", Use2: "c2"}, read("c2", 0, 100),
		step{q: sftp.Request{Op: sftp.OpCopyData, Offset: 5, Length: 30}, Use: "c", Use2: "c2", differs: shorter}, read("c2", 0, 100),
		step{q: sftp.Request{Op: sftp.OpCopyData, Offset: 50}, Use: "c", Use2: "c2"}, step{q: sftp.Request{Op: sftp.OpCopyData, Offset: 50, Length: 1}, Use: "c", Use2: "c2", differs: shorter},
		step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "c", Use2: "c"}, step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "c", Use2: "a"}, step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "a", Use2: "c"},
		step{q: sftp.Request{Op: sftp.OpCopyData, Offset: 1 << 63}, Use: "c", Use2: "c2"}, step{q: sftp.Request{Op: sftp.OpCopyData, Offset2: 1 << 63}, Use: "c", Use2: "c2"},
		open("ro", "copy", sftp.OpenRead), step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "ro", Use2: "c"}, open("ap", "copy3", sftp.OpenWrite|sftp.OpenCreate|sftp.OpenAppend),
		step{q: sftp.Request{Op: sftp.OpCopyData, Offset2: 99}, Use: "c", Use2: "ap"}, step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "ro", Use2: "ap"}, req(sftp.OpStat, "copy3"),
		step{q: sftp.Request{Op: sftp.OpCopyData}, Use: "c2", Use2: "ro"},
		step{do: func(dir string) { os.Link(filepath.Join(dir, "copy"), filepath.Join(dir, "copylink")) }}, open("cl", "copylink", sftp.OpenWrite),
		step{q: sftp.Request{Op: sftp.OpCopyData, Length: 3, Offset2: 10}, Use: "c", Use2: "cl", differs: "one file under two names: refused since OpenSSH 10.4"})
	// Things that are no files.
	add(open("n", "/dev/null", rw), write("n", 0, "x"), read("n", 0, 1), on(sftp.OpClose, "n"), open("z", "/dev/zero", sftp.OpenRead), read("z", 5, 4), on(sftp.OpClose, "z"))
	return list
}

// One session, with the same answers from the machine's server and from ours.
func TestSameAsStock(t *testing.T) {
	if stockServer() == "" {
		t.Skip("peer lacks sftp-server")
	}
	for _, stock := range []string{stockServer(), openssh10} {
		if _, err := os.Stat(stock); err == nil {
			t.Run(stock, func(t *testing.T) { sameAs(t, stock) })
		}
	}
}

// openssh10 is where the tests' peers have a newer server.
const openssh10 = "../../../build/peers/openssh-10/usr/lib/openssh/sftp-server"

func sameAs(t *testing.T, stock string) {
	stock, err := filepath.Abs(stock)
	if err != nil {
		t.Fatal(err)
	}
	a := startServer(t, "stock", exec.Command(stock, "-e", "-l", "VERBOSE", "-u", "027"))
	b := startServer(t, "ours", ours("-e", "-l", "VERBOSE", "-u", "027"))
	hello := sftp.Request{Op: sftp.OpInit, ID: 3}
	offers := map[string]bool{}
	theirs := a.ask(hello)
	for _, e := range theirs.Extensions {
		offers[e.Name] = true
	}
	for _, e := range b.ask(hello).Extensions {
		if !offers[e.Name] && e.Name != "copy-data" && e.Name != "home-directory" && e.Name != "users-groups-by-id@openssh.com" { // 9.0, 9.1
			t.Errorf("only ours offers %s", e.Name)
		}
	}
	lacks := func(op sftp.Op) bool {
		name, _ := op.Extension()
		return name != "" && !offers[name]
	}
	differ := 0
	for i, st := range script() {
		if st.do == nil && lacks(st.q.Op) {
			continue
		}
		x, y := a.run(st), b.run(st)
		if x == y {
			if st.differs != "" && st.q.Op != sftp.OpCopyData && st.q.Op != sftp.OpLimits && st.q.Op != sftp.OpHomeDirectory { // by release
				t.Errorf("step %d, %s: the same, but said to differ: %s", i, st.q.Op, st.differs)
			}
			continue
		}
		if st.differs != "" {
			differ++
			continue
		}
		t.Errorf("step %d, %s %q %q:\nstock %s\nours  %s", i, st.q.Op, st.q.Path, st.q.Target, x, y)
	}
	for _, q := range []sftp.Request{{Op: sftp.OpStatVFS, Path: "."}, {Op: sftp.OpStatVFS, Path: "/proc"}, {Op: sftp.OpStatVFS, Path: "/dev"}} {
		var x, y sftp.VFS
		if x.Decode(a.ask(q).Body) != nil || y.Decode(b.ask(q).Body) != nil {
			t.Fatalf("statvfs %s", q.Path)
		}
		for _, v := range []*sftp.VFS{&x, &y} { // what others change meanwhile
			v.BlocksFree, v.BlocksAv, v.FilesFree, v.FilesAv, v.Files = 0, 0, 0, 0, 0
		}
		if x != y {
			t.Errorf("statvfs %s:\nstock %+v\nours  %+v", q.Path, x, y)
		}
	}
	// The log is the same, line by line, but for what is said of the steps that
	// differ, and where our words are clearer.
	x, y := logLines(a), logLines(b)
	if d := diff(x, y); len(d) > 0 {
		t.Errorf("the logs differ:\n%s", strings.Join(d, "\n"))
	}
}

// unlike are lines that say the same in other words, or that count what the
// steps that differ have moved.
var unlike = regexp.MustCompile(`^(process_|error: |tilde_expand: |users-groups-by-id: |home-directory |sent status |forced close "copy)`)

func logLines(s *server) (lines []string) {
	for l := range strings.SplitSeq(strings.NewReplacer(s.dir, "DIR", "(null)", "").Replace(s.end()), "\n") {
		if l = strings.TrimRight(l, "\r"); l != "" && !unlike.MatchString(l) {
			lines = append(lines, l[:min(len(l), 1000)]) // both cut, not at the same byte
		}
	}
	return lines
}

// diff tells lines of either that the other has not at their place.
func diff(x, y []string) (out []string) {
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(x) > 0 && len(y) > 0 && x[0] == y[0]:
			x, y = x[1:], y[1:]
		case len(y) == 0 || len(x) > 0 && !contains(y, x[0]):
			out, x = append(out, "- "+x[0]), x[1:]
		default:
			out, y = append(out, "+ "+y[0]), y[1:]
		}
		if len(out) > 30 {
			return out
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list[:min(len(list), 50)] {
		if l == s {
			return true
		}
	}
	return false
}

// Read-only and denied requests: the same answers.
func TestSameRefusals(t *testing.T) {
	stock := stockServer()
	if stock == "" {
		t.Skip("peer lacks sftp-server")
	}
	for _, args := range [][]string{{"-R"}, {"-P", "stat,mkdir,posix-rename,nonsense"}, {"-p", "realpath,lstat,limits"}, {"-p", ""}, {"-P", ""}, {"-p", "stat,open", "-P", "stat"}, {"-R", "-p", "mkdir,stat"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			a, b := startServer(t, "stock", exec.Command(stock, args...)), startServer(t, "ours", ours(args...))
			x, y := a.ask(sftp.Request{Op: sftp.OpInit, ID: 3}), b.ask(sftp.Request{Op: sftp.OpInit, ID: 3})
			if len(x.Extensions) > 9 && fmt.Sprint(x.Extensions) != fmt.Sprint(y.Extensions) {
				t.Errorf("stock offers %v\nours %v", x.Extensions, y.Extensions)
			}
			offers := map[string]bool{}
			for _, e := range x.Extensions {
				offers[e.Name] = true
			}
			for op := range sftp.Ops {
				if name, _ := op.Extension(); op == sftp.OpLimits || name != "" && len(x.Extensions) < 11 && !offers[name] && op > sftp.OpLimits {
					continue // it may lack the extension
				}
				st := step{q: sftp.Request{Op: op, Path: "x/y", Target: "x/z"}}
				if x, y := a.run(st), b.run(st); x != y {
					t.Errorf("%s:\nstock %s\nours  %s", op, x, y)
				}
			}
		})
	}
}

// The command line: the same words and statuses. Where the machine's server
// says nothing because its log is not open yet, ours says what is wrong.
func TestSameCommandLine(t *testing.T) {
	stock := stockServer()
	if stock == "" {
		t.Skip("peer lacks sftp-server")
	}
	run := func(cmd *exec.Cmd) (string, string, int) {
		var out, err strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &err
		_ = cmd.Run()
		return out.String(), err.String(), cmd.ProcessState.ExitCode()
	}
	for _, c := range []struct {
		args []string
		says string // where stock is silent
	}{
		{[]string{"-h"}, ""}, {[]string{"-Q", "requests"}, ""}, {[]string{"-Q", "x"}, ""}, {[]string{"-x"}, ""}, {[]string{"-l"}, ""},
		{[]string{"-l", "x"}, `Invalid log level "x"`}, {[]string{"-f", "x"}, `Invalid log facility "x"`}, {[]string{"-u", "8"}, `Invalid umask "8"`}, {[]string{"-u", "1000"}, `Invalid umask "1000"`}, {[]string{"-u", "-1"}, `Invalid umask "-1"`},
		{[]string{"-p", "a", "-p", "b"}, "Permitted requests already set"}, {[]string{"-P", "a", "-P", "b"}, "Refused requests already set"},
		{[]string{"-eR", "-l", "debug2", "-f", "local7", "-u", "0777"}, ""}, {[]string{"-c", "exit", "-x"}, ""}, {[]string{"-e", "-d", "/nonexistent/%u"}, ""}, {[]string{"extra"}, ""},
	} {
		o1, e1, s1 := run(exec.Command(stock, c.args...))
		o2, e2, s2 := run(ours(c.args...))
		e1 = strings.ReplaceAll(e1, stock, "sftp-server")
		if c.says != "" {
			e1 = c.says + "\n"
		}
		if c.args[0] == "-eR" { // the end is told at debug level
			e1, e2 = strings.ReplaceAll(e1, "debug1: read eof\r\n", ""), strings.ReplaceAll(e2, "debug1: read eof\r\n", "")
		}
		if o1 != o2 || e1 != e2 || s1 != s2 {
			t.Errorf("%q:\nstock %d %q %q\nours  %d %q %q", c.args, s1, o1, e1, s2, o2, e2)
		}
	}
}

// What ends the session, and with which status.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want int
		log  string
	}{
		"nothing":     {"", 0, "session closed for local user"},
		"cut":         {"\x00\x00\x00\x05\x01\x00", 0, "session closed for local user"},
		"too long":    {"\x00\x04\x00\x01", 11, "bad message from 192.0.2.1 local user"},
		"before INIT": {"\x00\x00\x00\x09\x11\x00\x00\x00\x01\x00\x00\x00\x00", 255, "request before INIT"},
	} {
		s := startServer(t, name, ours("-e", "-l", "INFO"))
		io.WriteString(s.in, c.in)
		log := s.end()
		if got := s.cmd.ProcessState.ExitCode(); got != c.want || !strings.Contains(log, c.log) || !strings.HasPrefix(log, "session opened for local user") {
			t.Errorf("%s: status %d, want %d; log %s", name, got, c.want, log)
		}
	}
	cmd := ours("-e")
	var e strings.Builder
	cmd.Env, cmd.Stderr = append(os.Environ(), "SSH_CONNECTION=nonsense"), &e
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 255 || !strings.Contains(e.String(), "Malformed SSH_CONNECTION variable: \"nonsense\"") {
		t.Errorf("%d %s", cmd.ProcessState.ExitCode(), &e)
	}
}

// Every byte that was acknowledged is in the file when the process is killed
// (SFT-12).
func TestSFT12_Killed(t *testing.T) {
	s := startServer(t, "ours", ours())
	s.ask(sftp.Request{Op: sftp.OpInit, ID: 3})
	h := bytes.Clone(s.ask(sftp.Request{Op: sftp.OpOpen, Path: "f", Flags: sftp.OpenWrite | sftp.OpenCreate}).Handle)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i >> 8)
	}
	const piece = 100 << 10
	at := 0
	for ; at+piece <= len(data); at += piece {
		if p := s.ask(sftp.Request{Op: sftp.OpWrite, Handle: h, Offset: uint64(at), Data: data[at : at+piece]}); p.Status != sftp.StatusOK {
			t.Fatalf("%+v", p)
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.dead = true
	got, err := os.ReadFile(filepath.Join(s.dir, "f"))
	if err != nil || !bytes.Equal(got, data[:at]) {
		t.Errorf("%d bytes of %d: %v", len(got), at, err)
	}
}
