//go:build linux || darwin || freebsd || openbsd

package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in makes a folder with files in it the working directory.
func in(t *testing.T, files ...string) (*Tree, string) {
	t.Helper()
	dir := t.TempDir()
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	t.Chdir(dir)
	for _, name := range files {
		must(t, os.WriteFile(name, []byte(name), 0o644))
	}
	passwd := filepath.Join(t.TempDir(), "passwd")
	must(t, os.WriteFile(passwd, []byte("ann:x:1000:100::/home/ann:\n"), 0o644))
	group := filepath.Join(t.TempDir(), "group")
	must(t, os.WriteFile(group, []byte("users:x:100:\n"), 0o644))
	return &Tree{Account: &account.Account{Name: "me", Home: "/home/me"}, Database: &account.Database{Passwd: passwd, Group: group}}, dir
}

func code(t *testing.T, err error, want sftp.Status) {
	t.Helper()
	if got := sftp.StatusOf(err); got != want {
		t.Errorf("%v is %s, want %s", err, got, want)
	}
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return string(b)
}

func TestCodes(t *testing.T) {
	for errno, want := range map[syscall.Errno]sftp.Status{
		unix.ENOENT: sftp.StatusNoSuchFile, unix.ENOTDIR: sftp.StatusNoSuchFile, unix.EBADF: sftp.StatusNoSuchFile, unix.ELOOP: sftp.StatusNoSuchFile,
		unix.EPERM: sftp.StatusPermissionDenied, unix.EACCES: sftp.StatusPermissionDenied, unix.EFAULT: sftp.StatusPermissionDenied,
		unix.ENAMETOOLONG: sftp.StatusBadMessage, unix.EINVAL: sftp.StatusBadMessage, unix.ENOSYS: sftp.StatusOpUnsupported,
		unix.EEXIST: sftp.StatusFailure, unix.ENOSPC: sftp.StatusFailure, unix.EDQUOT: sftp.StatusFailure, unix.EISDIR: sftp.StatusFailure, unix.EROFS: sftp.StatusFailure, unix.ENOTEMPTY: sftp.StatusFailure,
		unix.EOPNOTSUPP: sftp.StatusFailure,
	} {
		code(t, status(errno), want)
		if err := status(errno); !errors.Is(err, errno) {
			t.Errorf("%v lost its cause", err)
		}
	}
	if status(nil) != nil || status(io.EOF) != io.EOF {
		t.Error("what is no error of the system")
	}
}

// A rename never replaces, in one step or by a second name, and not in a race
// either (SFT-7).
func TestSFT07_Rename(t *testing.T) {
	tr, _ := in(t, "a", "b")
	must(t, os.Mkdir("d", 0o755))
	must(t, os.Mkdir("e", 0o755))
	must(t, os.Symlink("nowhere", "l"))
	for _, to := range []string{"a", "b", "d", "l"} {
		code(t, tr.Rename("a", to), sftp.StatusFailure)
	}
	code(t, tr.Rename("d", "l"), sftp.StatusFailure)
	code(t, tr.Rename("d", "e"), sftp.StatusFailure)
	code(t, tr.Rename("none", "c"), sftp.StatusNoSuchFile)
	code(t, tr.Rename("d", "d/x"), sftp.StatusBadMessage)
	must(t, tr.Rename("a", "c"))
	must(t, tr.Rename("d", "f"))
	must(t, tr.Rename("l", "m"))
	if content(t, "c") != "a" || content(t, "b") != "b" {
		t.Error("the wrong file is gone")
	}
	// Many files become one name: one of them does.
	const n = 16
	for i := range n {
		must(t, os.WriteFile(string(rune('A'+i)), []byte{byte(i)}, 0o644))
	}
	var wg sync.WaitGroup
	won := make([]bool, n)
	for i := range n {
		wg.Go(func() { won[i] = tr.Rename(string(rune('A'+i)), "target") == nil })
	}
	wg.Wait()
	for i, w := range won {
		if _, err := os.Stat(string(rune('A' + i))); (err == nil) == w {
			t.Errorf("%d: won %v, and %v", i, w, err)
		}
		if w && content(t, "target") != string([]byte{byte(i)}) {
			t.Errorf("%d was replaced", i)
		}
	}
}

func TestRealPath(t *testing.T) {
	tr, dir := in(t, "a")
	must(t, os.MkdirAll("d/e", 0o755))
	for link, to := range map[string]string{"abs": dir + "/d", "rel": "d/e", "up": "d/../..", "dangling": "nowhere", "deep": "rel/x", "loop": "loop", "l1": "l2", "l2": "l1", "slash": "d/"} {
		must(t, os.Symlink(to, link))
	}
	last := "d"
	for i := range 33 {
		name := "c" + strings.Repeat("x", i)
		must(t, os.Symlink(last, name))
		last = name
	}
	for name, want := range map[string]string{
		"": dir, ".": dir, "/": "/", "//": "/", "/..": "/", "..": filepath.Dir(dir), "./a": dir + "/a", "a/": dir + "/a", "a/.": dir + "/a", "a/..": dir,
		"none": dir + "/none", "abs/e": dir + "/d/e", "rel": dir + "/d/e", "up": filepath.Dir(dir), "dangling": dir + "/nowhere", "deep": dir + "/d/e/x", "slash": dir + "/d",
		"d/../d/./e//": dir + "/d/e", dir: dir, "c" + strings.Repeat("x", 31): dir + "/d",
	} {
		if got, err := tr.RealPath(name); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]sftp.Status{
		"none/": sftp.StatusNoSuchFile, "none/x": sftp.StatusNoSuchFile, "a/x": sftp.StatusNoSuchFile, "loop": sftp.StatusNoSuchFile, "l1": sftp.StatusNoSuchFile,
		"c" + strings.Repeat("x", 32): sftp.StatusNoSuchFile, strings.Repeat("x", 256): sftp.StatusBadMessage, strings.Repeat("x/", 2047): sftp.StatusNoSuchFile,
	} {
		if got, err := tr.RealPath(name); sftp.StatusOf(err) != want {
			t.Errorf("%.20q: %.20q %v, want %s", name, got, err, want)
		}
	}
}

// Names of accounts come from the files that are there for this process, and
// from nowhere else; what is not there is not told (SFT-14).
func TestSFT14_Accounts(t *testing.T) {
	tr, dir := in(t)
	for name, want := range map[string]string{"": ".", "~": dir, "~/x": dir + "/x", "~ann": "/home/ann/", "~ann/x/y": "/home/ann/x/y", "x": dir + "/x", "/x": "/x"} {
		if got, err := tr.Expand(name); err != nil || got != want {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
	var e *sftp.StatusError
	for _, name := range []string{"~root", "~bob/x", "~../x", "~ann\n", "~" + strings.Repeat("x", 1000)} {
		if _, err := tr.Expand(name); !errors.As(err, &e) || e.Code != sftp.StatusNoSuchFile || e.Message != "no such user" {
			t.Errorf("%q: %v", name, err)
		}
	}
	for user, want := range map[string]string{"": "/home/me", "ann": "/home/ann"} {
		if got, err := tr.HomeDirectory(user); err != nil || got != want {
			t.Errorf("%q: %q %v", user, got, err)
		}
	}
	_, err := tr.HomeDirectory("root")
	code(t, err, sftp.StatusFailure)
	if tr.UserName(1000) != "ann" || tr.UserName(0) != "" || tr.GroupName(100) != "users" || tr.GroupName(0) != "" {
		t.Error("names of ids")
	}
	// What is remembered has an end.
	for i := range uint32(3 * maxNames) {
		remember(&tr.users, i, func() string { return "x" })
		if len(tr.users) > maxNames {
			t.Fatal("more is remembered than may be")
		}
	}
	// In a root without such files nothing is known.
	bare := &Tree{Account: tr.Account, Database: &account.Database{Passwd: dir + "/none", Group: dir + "/none"}}
	if _, err := bare.Expand("~ann"); err == nil || bare.UserName(0) != "" {
		t.Error("an account from nowhere")
	}
}

// A Tree keeps nothing open but what was opened by a client (SFT-13).
func TestSFT13_Descriptors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("peer lacks /proc/self/fd")
	}
	tr, dir := in(t, "a")
	open := func() int {
		l, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(l)
	}
	var a sftp.Attr
	use := func() {
		f, err := tr.Open("a", sftp.OpenRead, &a)
		must(t, err)
		must(t, f.Close())
		d, err := tr.OpenDir(dir)
		must(t, err)
		var e sftp.Entry
		for d.Next(&e) == nil {
		}
		must(t, d.Close())
		_, _ = tr.RealPath("a/..")
		_, _ = tr.Expand("~ann")
		_ = tr.Stat("..", &a)
		_ = tr.Lsetstat("a", &sftp.Attr{Flags: sftp.AttrPermissions, Mode: 0o600})
		_ = tr.Rename("a", "b")
		_ = tr.Rename("b", "a")
	}
	use()
	before := open()
	use()
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestFile(t *testing.T) {
	tr, _ := in(t, "a")
	f, err := tr.Open("f", sftp.OpenRead|sftp.OpenWrite|sftp.OpenCreate, &sftp.Attr{Flags: sftp.AttrPermissions, Mode: 0o600})
	must(t, err)
	if n, err := f.WriteAt([]byte("0123456789"), 5); n != 10 || err != nil {
		t.Error(n, err)
	}
	b := make([]byte, 20)
	if n, err := f.ReadAt(b, 10); n != 5 || err != nil || string(b[:n]) != "56789" {
		t.Error(n, err)
	}
	if n, err := f.ReadAt(b, 15); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	var a sftp.Attr
	must(t, f.Setstat(&sftp.Attr{Flags: sftp.AttrSize | sftp.AttrACModTime | sftp.AttrPermissions, Size: 7, ATime: 1, MTime: 1<<32 - 1, Mode: 0o640}))
	must(t, f.Stat(&a))
	if a.Flags != sftp.AttrAll || a.Size != 7 || a.ATime != 1 || a.MTime != 1<<32-1 || a.Mode != sftp.ModeRegular|0o640 || a.UID != uint32(os.Getuid()) {
		t.Errorf("%+v", a)
	}
	must(t, tr.Sync(f))
	var v, w sftp.VFS
	must(t, tr.FstatVFS(f, &v))
	must(t, tr.StatVFS(".", &w))
	if v.BlockSize == 0 || v.Blocks != w.Blocks || v.NameMax == 0 {
		t.Errorf("%+v %+v", v, w)
	}
	g, err := tr.Open("f", sftp.OpenWrite|sftp.OpenAppend, &a)
	must(t, err)
	_, err = g.WriteAt([]byte("end"), 0)
	must(t, err)
	if content(t, "f") != "\x00\x00\x00\x00\x0001end" || !tr.SameFile(f, g) {
		t.Errorf("%q", content(t, "f"))
	}
	h, err := tr.Open("a", sftp.OpenRead, &a)
	must(t, err)
	if tr.SameFile(f, h) {
		t.Error("two files are one")
	}
	if _, err := h.WriteAt([]byte("x"), 0); sftp.StatusOf(err) != sftp.StatusNoSuchFile {
		t.Error(err)
	}
	for _, x := range []sftp.File{f, g, h} {
		must(t, x.Close())
	}
	code(t, f.Close(), sftp.StatusNoSuchFile)
}

// A FIFO without another end does not make the session wait.
func TestFIFO(t *testing.T) {
	tr, _ := in(t)
	must(t, unix.Mkfifo("p", 0o600))
	var a sftp.Attr
	f, err := tr.Open("p", sftp.OpenRead, &a)
	must(t, err)
	_, err = f.ReadAt(make([]byte, 1), 0)
	code(t, err, sftp.StatusFailure)
	must(t, f.Close())
	_, err = tr.Open("p", sftp.OpenWrite, &a)
	code(t, err, sftp.StatusFailure)
}

func TestDir(t *testing.T) {
	tr, _ := in(t)
	const n = 1000
	for i := range n {
		must(t, os.Mkdir("d"+strings.Repeat("x", i%200)+string(rune('0'+i/200)), 0o755))
	}
	d, err := tr.OpenDir(".")
	must(t, err)
	seen := map[string]bool{}
	for {
		var e sftp.Entry
		err := d.Next(&e)
		if err == io.EOF {
			break
		}
		must(t, err)
		if seen[e.Name] || e.Attr.Mode&sftp.ModeType != sftp.ModeDir || !strings.HasPrefix(e.Longname, "drwx") || !strings.HasSuffix(e.Longname, " "+e.Name) {
			t.Fatalf("%+v", e)
		}
		seen[e.Name] = true
	}
	if len(seen) != n+2 || !seen["."] || !seen[".."] {
		t.Errorf("%d names", len(seen))
	}
	var e sftp.Entry
	if err := d.Next(&e); err != io.EOF {
		t.Error(err)
	}
	must(t, d.Close())
	must(t, os.WriteFile("f", nil, 0o600))
	_, err = tr.OpenDir("f")
	code(t, err, sftp.StatusNoSuchFile)
}

func TestCopyData(t *testing.T) {
	tr, _ := in(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	must(t, os.WriteFile("a", data, 0o644))
	var a sftp.Attr
	for name, flags := range map[string]sftp.OpenFlags{"b": sftp.OpenWrite | sftp.OpenCreate, "c": sftp.OpenWrite | sftp.OpenCreate | sftp.OpenAppend} {
		f, err := tr.Open("a", sftp.OpenRead, &a)
		must(t, err)
		g, err := tr.Open(name, flags, &a)
		must(t, err)
		at := uint64(0)
		for {
			n, err := tr.CopyData(g, at, f, at, 1<<62)
			must(t, err)
			if n == 0 {
				break
			}
			at += n
		}
		if content(t, name) != string(data) {
			t.Errorf("%s: %d bytes came out otherwise", name, at)
		}
		if n, err := tr.CopyData(g, 0, f, uint64(len(data))+5, 10); n != 0 || err != nil {
			t.Error(n, err)
		}
		if _, err := tr.CopyData(f, 0, g, 0, 10); sftp.StatusOf(err) != sftp.StatusNoSuchFile {
			t.Error(err)
		}
		must(t, f.Close())
		must(t, g.Close())
	}
}

// Whatever kind of error a full disk is, the write that met it tells (SFT-11).
func TestSFT11_FullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("peer lacks /dev/full")
	}
	tr, _ := in(t)
	var a sftp.Attr
	f, err := tr.Open("/dev/full", sftp.OpenWrite, &a)
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	code(t, err, sftp.StatusFailure)
	if !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
	must(t, f.Close())
}
