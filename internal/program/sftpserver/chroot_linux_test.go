package sftpserver

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nacre-ssh/nacre/sftp"
)

// Within another root nothing leads out: not a link, not "..", not /proc, not a
// rename (SFT-13), and accounts are those that are there (SFT-14).
func TestSFT13_Chroot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("peer lacks root, who changes roots")
	}
	if f, err := elf.Open("/proc/self/exe"); err == nil {
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Skip("peer lacks a static binary of this test: CGO_ENABLED=0 makes one")
			}
		}
		f.Close()
	}
	root := t.TempDir()
	exe, err := os.Open("/proc/self/exe")
	must(t, err)
	defer exe.Close()
	copied, err := os.OpenFile(filepath.Join(root, "sftp-server"), os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(copied, exe)
	must(t, err)
	must(t, copied.Close())
	must(t, os.MkdirAll(root+"/etc", 0o755))
	must(t, os.MkdirAll(root+"/home/ann", 0o755))
	must(t, os.WriteFile(root+"/etc/passwd", []byte("inside:x:0:0::/home/ann:\n"), 0o644))
	must(t, os.WriteFile(root+"/home/ann/f", []byte("in"), 0o644))
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("out"), 0o644))

	cmd := ours("-e", "-l", "INFO", "-d", "/home/ann")
	cmd.Path, cmd.Dir = "/sftp-server", "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	s := startServer(t, "ours", cmd)
	s.ask(sftp.Request{Op: sftp.OpInit, ID: 3})
	if p := s.ask(sftp.Request{Op: sftp.OpRealpath, Path: "../../.."}); p.Names[0].Name != "/" {
		t.Errorf("%+v", p)
	}
	for name, to := range map[string]string{"abs": secret, "up": "../../../../.." + secret, "proc": "/proc/1/root" + secret, "self": "/proc/self/root"} {
		s.ask(sftp.Request{Op: sftp.OpSymlink, Path: name, Target: to})
		for _, op := range []sftp.Op{sftp.OpOpen, sftp.OpStat, sftp.OpOpendir} {
			if p := s.ask(sftp.Request{Op: op, Path: name, Flags: sftp.OpenRead}); p.Status != sftp.StatusNoSuchFile {
				t.Errorf("%s %s: %+v", op, name, p)
			}
		}
	}
	for _, path := range []string{secret, "../../../../.." + secret, "/proc/self/cwd/../.." + secret} {
		if p := s.ask(sftp.Request{Op: sftp.OpOpen, Path: path, Flags: sftp.OpenRead}); p.Status != sftp.StatusNoSuchFile {
			t.Errorf("%s: %+v", path, p)
		}
		if p := s.ask(sftp.Request{Op: sftp.OpPosixRename, Path: "/home/ann/f", Target: path + "x"}); p.Status != sftp.StatusNoSuchFile {
			t.Errorf("%s: %+v", path, p)
		}
	}
	// The folder the session is in moves away under it; it is still inside.
	must(t, os.Rename(root+"/home/ann", root+"/ann"))
	if p := s.ask(sftp.Request{Op: sftp.OpRealpath, Path: "../.."}); p.Names[0].Name != "/" {
		t.Errorf("%+v", p)
	}
	if p := s.ask(sftp.Request{Op: sftp.OpStat, Path: "../.." + secret}); p.Status != sftp.StatusNoSuchFile {
		t.Errorf("%+v", p)
	}
	if p := s.ask(sftp.Request{Op: sftp.OpHomeDirectory, Path: "root"}); p.Status != sftp.StatusFailure {
		t.Errorf("an account from outside: %+v", p)
	}
	var n sftp.IDNames
	if p := s.ask(sftp.Request{Op: sftp.OpUsersGroupsByID, UIDs: []byte{0, 0, 0, 0, 0, 0, 0, 1}}); n.Decode(p.Body) != nil || n.Users[0] != "inside" || n.Users[1] != "" {
		t.Errorf("%+v", n)
	}
	if log := s.end(); !strings.Contains(log, "session opened for local user inside from") {
		t.Error(log)
	}
}
