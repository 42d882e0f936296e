package rows

import (
	"os"
	"path/filepath"
	"testing"
)

// M01: a folder of the server mounted by the stock sshfs; copies, renames and
// edits work as in any other folder, and it is unmounted again.
func TestM01_SSHFS(t *testing.T) {
	for _, kind := range []string{"nacre", "openssh"} {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			p.need("sshfs")
			p.need("fusermount3")
			p.asRoot()
			if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
				t.Skipf("this machine lacks FUSE: %v", err)
			} else {
				f.Close()
			}
			s := p.start(kind, "Subsystem sftp internal-sftp")
			at := filepath.Join(p.dir, "mnt")
			if err := os.Mkdir(at, 0o755); err != nil {
				t.Fatal(err)
			}
			there := filepath.Join(p.w.Home, "m01-"+kind)
			if err := os.Mkdir(there, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(there, p.w.UID, p.w.GID); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(there) })
			if o := p.run("sshfs", "-F", p.toServer(s, s.Port), "-o", "ssh_command="+stock, "host:m01-"+kind, at); o.code != 0 {
				t.Fatalf("%+v\n%s", o, s.Log())
			}
			mounted := true
			unmount := func() {
				if mounted {
					mounted = false
					if o := p.run("fusermount3", "-u", at); o.code != 0 {
						t.Errorf("%+v", o)
					}
				}
			}
			defer unmount()
			script := `set -e
cp -r /usr/include/linux "$1/include" 2>/dev/null || cp -r /etc/init.d "$1/include"
src=/usr/include/linux; [ -d $src ] || src=/etc/init.d
diff -r $src "$1/include"
mv "$1/include" "$1/moved"
test ! -e "$1/include"
printf 'one\ntwo\n' > "$1/file"
sed -i s/two/three/ "$1/file"
printf 'four\n' >> "$1/file"
ln -s file "$1/link"
test "$(cat "$1/link" | tr '\n' ' ')" = "one three four "
mkdir "$1/d"; touch "$1/d/x"; rm -r "$1/d"; test ! -e "$1/d"
chmod 640 "$1/file"; test "$(stat -c %a "$1/file")" = 640
truncate -s 4 "$1/file"; test "$(cat "$1/file")" = one
df "$1" >/dev/null
`
			if o := p.run("sh", "-c", script, "sh", at); o.code != 0 {
				t.Errorf("%+v\n%s", o, s.Log())
			}
			if b, err := os.ReadFile(filepath.Join(there, "file")); string(b) != "one\n" || err != nil {
				t.Errorf("on the server: %q %v", b, err)
			}
			unmount()
			if d, _ := os.ReadDir(at); len(d) != 0 {
				t.Errorf("still mounted: %v", d)
			}
		})
	}
}
