//go:build linux || darwin || freebsd || openbsd

package sftpserver

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pattern is n bytes that are not all the same.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>9 ^ i*7)
	}
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree is what is in a folder: names, modes, sizes, times and links.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		link, _ := os.Readlink(path)
		b.WriteString(strings.TrimPrefix(path, dir) + " " + st.Mode().String() + " " + link)
		if st.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n := len(data)
			b.WriteString(" " + string(rune('0'+n%10)) + " ")
			if !bytes.Equal(data, pattern(n)) {
				b.WriteString("other bytes ")
			}
			if st.ModTime().Unix() < 1e9 {
				b.WriteString(st.ModTime().UTC().String())
			}
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}

// batch is a session of sftp(1): LOCAL and REMOTE are folders.
const batch = `
cd REMOTE
lcd LOCAL
pwd
put big
put -p dated copy/dated
-put missing
-get missing
put empty
get big back
get -p copy/dated back.dated
reget big part
reput big part.up
put -r -p sub up
get -r -p up down
ls -1
ls -l
ls -la copy
ls -ln
ls -lh
-ls missing
ls up/*
rename big huge
-rename huge missing/x
-rename -l huge copy/dated
rename -l huge vast
symlink vast soft
ln vast hard
-ln -s nowhere dangling
ls -l
chmod 0600 vast
-chmod 0600 missing
-chmod -h 0644 copy
chown UID vast
chgrp -h GID soft
cp vast copied
-cp missing other
mkdir new
-mkdir new
rmdir new
-rmdir new
-rmdir up
rm copied
-rm copied
cd up
pwd
cd ..
-cd missing
version
lpwd
put -f big synced
get copy/dated again
bye
`

// times of now are not compared, nor what a file system has of room.
var nowRE = regexp.MustCompile(`[A-Z][a-z]{2} [ 0-9]\d (\d\d:\d\d|20[2-9]\d| 20[2-9]\d)`)

// session runs the batch with sftp(1) over server and returns what it wrote,
// and what the folders hold after it.
func session(t *testing.T, how []string) (out, trees string) {
	dir := t.TempDir()
	local, remote := filepath.Join(dir, "local"), filepath.Join(dir, "remote")
	for _, d := range []string{local, remote, remote + "/copy", local + "/sub", local + "/sub/deep"} {
		must(t, os.Mkdir(d, 0o755))
	}
	big := pattern(3_000_007)
	for name, data := range map[string][]byte{"big": big, "dated": pattern(10), "empty": nil, "part": big[:1_000_003], "sub/one": pattern(1), "sub/deep/two": pattern(100_000)} {
		must(t, os.WriteFile(filepath.Join(local, name), data, 0o640))
		must(t, os.Chtimes(filepath.Join(local, name), time.Unix(1e8, 0), time.Unix(2e8, 0)))
	}
	must(t, os.WriteFile(remote+"/part.up", big[:500_001], 0o600))
	must(t, os.Symlink("one", local+"/sub/link"))
	r := strings.NewReplacer("LOCAL", local, "REMOTE", remote, "UID", itoa(os.Getuid()), "GID", itoa(os.Getgid()))
	cmd := exec.Command("sftp", append([]string{"-b", "-"}, how...)...)
	cmd.Stdin = strings.NewReader(r.Replace(batch))
	cmd.Env = append(os.Environ(), "TZ=UTC", "COLUMNS=80", "HOME="+dir)
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("sftp: %v: %s", err, b)
	}
	return nowRE.ReplaceAllString(strings.ReplaceAll(string(b), dir, "DIR"), "NOW"), tree(t, dir)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// link gives our server a path of its own, under the name that makes it one.
func link(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	path := filepath.Join(t.TempDir(), "sftp-server")
	must(t, os.Symlink(exe, path))
	return path
}

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("peer lacks " + program)
	}
}

// The stock client does with our server what it does with its own.
func TestStockClient(t *testing.T) {
	needs(t, "sftp")
	stock := stockServer()
	if stock == "" {
		t.Skip("peer lacks sftp-server")
	}
	out1, tree1 := session(t, []string{"-D", stock})
	out2, tree2 := session(t, []string{"-D", link(t)})
	if out1 != out2 {
		t.Errorf("stock:\n%s\nours:\n%s", out1, out2)
	}
	if tree1 != tree2 {
		t.Errorf("stock:\n%s\nours:\n%s", tree1, tree2)
	}
	if strings.Contains(tree2, "other bytes") || !strings.Contains(tree2, "/remote/up/deep/two") || !strings.Contains(tree2, "/local/down/deep/two") {
		t.Errorf("%s\n%s", out2, tree2)
	}
	// Small requests and few of them, and a program in the place of ssh.
	ssh := filepath.Join(t.TempDir(), "ssh")
	must(t, os.WriteFile(ssh, []byte("#!/bin/sh\nexec "+link(t)+" -e\n"), 0o755))
	for _, how := range [][]string{{"-S", ssh, "host"}, {"-B", "1000", "-R", "3", "-D", link(t)}, {"-B", "261120", "-R", "256", "-D", link(t)}} {
		_, tree3 := session(t, how)
		if tree3 != tree2 {
			t.Errorf("%q:\n%s", how, tree3)
		}
	}
}

// df asks our server what the file system has.
func TestStockClientDf(t *testing.T) {
	needs(t, "sftp")
	for _, flag := range []string{"", "-h ", "-i ", "-hi "} {
		cmd := exec.Command("sftp", "-b", "-", "-D", link(t))
		cmd.Stdin = strings.NewReader("df " + flag + "/\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "%") || strings.Contains(string(out), "ERR") {
			t.Errorf("df %s: %v %s", flag, err, out)
		}
	}
}

// scp over sftp, both ways, with folders and times.
func TestStockScp(t *testing.T) {
	needs(t, "scp")
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/src/deep", 0o755))
	must(t, os.WriteFile(dir+"/src/a", pattern(1_000_000), 0o640))
	must(t, os.WriteFile(dir+"/src/deep/b", pattern(7), 0o600))
	must(t, os.Chtimes(dir+"/src/a", time.Unix(1e8, 0), time.Unix(2e8, 0)))
	must(t, os.Symlink("a", dir+"/src/link"))
	server := link(t)
	scp := func(args ...string) {
		t.Helper()
		args = append([]string{"-s", "-D", server}, args...)
		if out, err := exec.Command("scp", args...).CombinedOutput(); err != nil {
			if strings.Contains(string(out), "unknown option") || strings.Contains(string(out), "illegal option") {
				t.Skip("peer lacks scp -s")
			}
			t.Fatalf("scp %q: %v %s", args, err, out)
		}
	}
	scp("-r", "-p", dir+"/src", "host:"+dir+"/up")
	scp("-r", "-p", "host:"+dir+"/up", dir+"/down")
	scp("-p", "host:"+dir+"/src/a", "host:"+dir+"/src/deep/b", dir+"/down/deep")
	want := tree(t, dir+"/src")
	want = strings.ReplaceAll(want, "/link L", "/link -") // scp follows links
	if up := tree(t, dir+"/up"); strings.Count(up, "\n") != strings.Count(want, "\n") || strings.Contains(up, "other bytes") || !strings.Contains(up, "/a -rw-r-----  0 1976-05-03 19:33:20 +0000 UTC") {
		t.Errorf("%s\nwant\n%s", up, want)
	}
	if down := tree(t, dir+"/down"); strings.Contains(down, "other bytes") || !strings.Contains(down, "/deep/a -rw-r-----  0 1976") || !strings.Contains(down, "/deep/b -rw-------  7") {
		t.Error(down)
	}
}
