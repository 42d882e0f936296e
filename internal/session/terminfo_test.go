package session

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// terminfoFiles are the entries of this machine.
func terminfoFiles() []string {
	var all []string
	for _, dir := range []string{"/lib/terminfo", "/etc/terminfo", "/usr/share/terminfo"} {
		names, _ := filepath.Glob(dir + "/*/*")
		all = append(all, names...)
	}
	return all
}

// smallTerminfo is an entry by hand: one boolean, one number, two strings.
func smallTerminfo() []byte {
	b := []byte{0x1a, 1, 8, 0, 1, 0, 1, 0, 2, 0, 6, 0}
	b = append(b, "tiny|t2\x00"...)
	b = append(b, 1, 0)                         // boolean, alignment
	b = append(b, 80, 0, 0, 0, 3, 0)            // number, offsets
	return append(b, "ab\x00cd\x00\x00"[:6]...) // strings
}

func TestTerminfoOfThisMachine(t *testing.T) {
	files := terminfoFiles()
	if len(files) == 0 {
		t.Skip("peer lacks terminal descriptions")
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		x := &Terminfo{Name: filepath.Base(f), Entry: data}
		if err := x.Check(); err != nil && ValidTermName(x.Name) {
			t.Errorf("%s: %v", f, err)
		}
		if got, err := ParseTerminfo(x.Append(nil)); err != nil || got.Name != x.Name || !bytes.Equal(got.Entry, data) {
			t.Errorf("%s does not survive its message: %v", f, err)
		}
	}
}

func TestTerminfoCheck(t *testing.T) {
	good := smallTerminfo()
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	for _, c := range []struct {
		what, name string
		entry      []byte
		ok         bool
	}{
		{"good", "tiny", good, true},
		{"alias", "t2", good, true},
		{"another name", "tin", good, true},
		{"name with a slash", "ti/ny", good, false},
		{"no name", "", good, false},
		{"dot", "..", good, false},
		{"magic", "tiny", change(0, 0x1b), false},
		{"names beyond the end", "tiny", change(3, 0x7f), false},
		{"negative count", "tiny", change(5, 0x80), false},
		{"offset beyond the table", "tiny", change(26, 6), false},
		{"string without an end", "tiny", change(len(good)-1, 'x'), false},
		{"names without an end", "tiny", change(19, 'x'), false},
		{"control character in a name", "tiny", change(17, 7), false},
		{"cut short", "tiny", good[:len(good)-2], false},
		{"empty", "tiny", nil, false},
		{"trailing", "tiny", append(bytes.Clone(good), 1, 2, 3), false},
		{"largest", "tiny", append(bytes.Clone(good), make([]byte, MaxTerminfo)...)[:MaxTerminfo+1], false},
	} {
		if err := (&Terminfo{c.name, c.entry}).Check(); err == nil != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func FuzzTerminfo(f *testing.F) {
	f.Add((&Terminfo{"tiny", smallTerminfo()}).Append(nil))
	for i, name := range terminfoFiles() {
		if data, err := os.ReadFile(name); err == nil && i%8 == 0 {
			f.Add((&Terminfo{filepath.Base(name), data}).Append(nil))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		x, err := ParseTerminfo(p)
		if err == nil && (len(x.Entry) > MaxTerminfo || !ValidTermName(x.Name)) {
			t.Fatal("beyond the limits")
		}
	})
}
