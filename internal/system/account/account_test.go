package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return p
}

func database(t *testing.T) *Database {
	return &Database{
		Passwd: write(t, "passwd", `# comment
+@nis::::::
root:x:0:0:root:/root:/bin/bash
short:x:1
ann:x:1000:100:Ann,,,:/home/ann:
bad:x:10000000000:1:::
minus:x:4294967295:1:::
last:x:1001:1001::/home/last:/bin/zsh`, 0o644),
		Group:  write(t, "group", "root:x:0:\nusers:x:100:bob,ann\nwheel:x:10:ann\ndup:x:10:ann\nann2:x:11:annx,xann\n", 0o644),
		Shadow: write(t, "shadow", "ann:$6$x:19000:0:99999:7::20000:\nlast:!:1:2:3:4:5:6:\n", 0o600),
	}
}

func TestLookup(t *testing.T) {
	d := database(t)
	a, err := d.Lookup("ann")
	want := Account{Name: "ann", Password: "x", UID: 1000, GID: 100, Gecos: "Ann,,,", Home: "/home/ann", Shell: "/bin/sh"}
	if err != nil || *a != want {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := d.Lookup("last"); err != nil || a.Shell != "/bin/zsh" || a.ShellField != "/bin/zsh" {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := d.LookupID(0); err != nil || a.Name != "root" {
		t.Errorf("%+v %v", a, err)
	}
	for _, n := range []string{"", "an", "annn", "ANN", "0", "1000", "short", "bad", "minus", "+@nis", "-ann", "ann:x", "ann\n", "root:x:0", "a/b", strings.Repeat("a", MaxName+1), "# comment", "ann\x00"} {
		if a, err := d.Lookup(n); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %+v %v", n, a, err)
		}
	}
	if !ValidName(strings.Repeat("a", MaxName)) {
		t.Error("the longest name is refused")
	}
	d.Passwd = t.TempDir()
	if _, err := d.Lookup("ann"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("a database that cannot be read: %v", err)
	}
	d.Passwd = "/nonexistent/passwd"
	if _, err := d.Lookup("ann"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestGroups(t *testing.T) {
	d := database(t)
	a, _ := d.Lookup("ann")
	g, err := d.Groups(a)
	if want := []Group{{"users", 100}, {"wheel", 10}}; err != nil || !slices.Equal(g, want) {
		t.Errorf("%v %v", g, err)
	}
	a, _ = d.Lookup("last")
	if g, err := d.Groups(a); err != nil || !slices.Equal(g, []Group{{"", 1001}}) {
		t.Errorf("%v %v", g, err)
	}
	if g, err := d.LookupGroup("wheel"); err != nil || g.GID != 10 {
		t.Error(g, err)
	}
	if _, err := d.LookupGroup("nope"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if g, err := d.LookupGroupID(10); err != nil || g.Name != "wheel" {
		t.Error(g, err)
	}
	if _, err := d.LookupGroupID(11); err != nil {
		t.Error(err)
	}
	if _, err := d.LookupGroupID(12); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestShadow(t *testing.T) {
	d := database(t)
	s, err := d.LookupShadow("ann")
	if want := (Shadow{"$6$x", 19000, 0, 99999, 7, -1, 20000}); err != nil || *s != want {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := d.LookupShadow("root"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// A directory answers through getent; a number given as a name must not come
// back as somebody.
func TestGetent(t *testing.T) {
	d := database(t)
	d.Getent = write(t, "getent", `#!/bin/sh
case "$1 $2" in
"passwd dora") echo "dora:*:5000:5000:Dora:/home/dora:/bin/sh";;
"passwd 77") echo "root:x:77:0::/:/bin/sh";;
"passwd broken") exit 3;;
"initgroups dora") echo "dora   5000 6000 10";;
"group 6000") echo "ldap:*:6000:dora";;
"group 5000") exit 2;;
*) exit 2;;
esac
`, 0o755)
	d.Switch = write(t, "nsswitch.conf", "# passwd: x\npasswd: files [NOTFOUND=return  !SUCCESS=continue] sss # y\ngroup: files sss\nhosts: dns\n", 0o644)
	a, err := d.Lookup("dora")
	if err != nil || a.UID != 5000 {
		t.Fatal(a, err)
	}
	if a, err := d.Lookup("77"); !errors.Is(err, ErrUnknown) {
		t.Errorf("number as a name: %+v %v", a, err)
	}
	if a, err := d.LookupID(77); err != nil || a.Name != "root" {
		t.Error(a, err)
	}
	if _, err := d.Lookup("nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := d.Lookup("broken"); err == nil || errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	g, err := d.Groups(a)
	if want := []Group{{"", 5000}, {"ldap", 6000}, {"wheel", 10}}; err != nil || !slices.Equal(g, want) {
		t.Error(g, err)
	}
	d.Switch = write(t, "nsswitch.conf", "passwd: files [NOTFOUND=return]\n", 0o644)
	if a, err := d.Lookup("dora"); !errors.Is(err, ErrUnknown) {
		t.Error("asked although only files are named", a, err)
	}
}

func TestThisMachine(t *testing.T) {
	a, err := System().LookupID(uint32(os.Getuid()))
	if err != nil {
		t.Skip("no account of our own:", err)
	}
	b, err := System().Lookup(a.Name)
	if err != nil || b.UID != a.UID {
		t.Error(b, err)
	}
	if g, err := System().Groups(a); err != nil || g[0].GID != a.GID {
		t.Error(g, err)
	}
}
