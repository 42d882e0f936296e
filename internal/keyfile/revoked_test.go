package keyfile_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// TestRevokedStock has ssh-keygen make lists and says of every key and
// certificate what `ssh-keygen -Q` says.
func TestRevokedStock(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("peer lacks ssh-keygen")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	keygen := func(args ...string) error {
		cmd := exec.Command("ssh-keygen", args...)
		cmd.Dir = dir
		return cmd.Run()
	}
	var asked []string
	for _, name := range []string{"ca", "ca2", "a", "b"} {
		if err := keygen("-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, name+".pub")
	}
	for _, ca := range []string{"ca", "ca2"} {
		for _, serial := range []string{"0", "1", "5", "6", "70", "71", "4000000000", "18446744073709551615"} {
			name := ca + "-" + serial
			data, _ := os.ReadFile(path("a.pub"))
			os.WriteFile(path(name+".pub"), data, 0o600)
			if err := keygen("-q", "-s", ca, "-I", "id-"+name, "-z", serial, "-n", "x", name+".pub"); err != nil {
				t.Fatal(err)
			}
			asked = append(asked, name+"-cert.pub")
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	lists := map[string][]string{
		"key": {"a.pub"}, "ca": {"ca.pub"}, "cert": {"ca-5-cert.pub"}, "both": {"b.pub", "ca2-70-cert.pub"},
	}
	specs := map[string]string{
		"serials": "serial: 5\nserial: 70-71\n", "range": "serial: 1-70\n", "bitmap": "serial: 1\nserial: 5\nserial: 6\nserial: 70\nserial: 72\nserial: 74\nserial: 76\nserial: 78\nserial: 80\n",
		"large": "serial: 4000000000-18446744073709551615\n", "ids": "id: id-ca-6\nid: id-ca2-6\n", "sha1": "sha1: " + string(read("b.pub")), "sha256": "sha256: " + string(read("b.pub")), "keyspec": "key: " + string(read("a.pub")),
	}
	for name, text := range specs {
		os.WriteFile(path("spec-"+name), []byte(text), 0o600)
		lists["spec-"+name] = []string{"-s", "ca.pub", "spec-" + name}
	}
	for name, args := range lists {
		file := "krl-" + name
		if err := keygen(append([]string{"-q", "-k", "-f", file}, args...)...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list, err := keyfile.ParseRevoked(read(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		revoked := 0
		for _, k := range asked {
			key, _, err := keyfile.ParsePublicKeyFile(bytes.TrimSpace(read(k)))
			if err != nil {
				t.Fatal(err)
			}
			want := keygen("-q", "-Q", "-f", file, k) != nil
			if got := list.Has(key); got != want {
				t.Errorf("%s: %s revoked: %v, ssh-keygen %v", name, k, got, want)
			}
			if want {
				revoked++
			}
		}
		if revoked == 0 || revoked == len(asked) {
			t.Errorf("%s revokes %d of %d", name, revoked, len(asked))
		}
	}
	text, err := keyfile.ParseRevoked(append([]byte("# text\n\n"), read("b.pub")...))
	b, _, _ := keyfile.ParsePublicKeyFile(bytes.TrimSpace(read("b.pub")))
	a, _, _ := keyfile.ParsePublicKeyFile(bytes.TrimSpace(read("a.pub")))
	if err != nil || !text.Has(b) || text.Has(a) {
		t.Errorf("text: %v", err)
	}
}

// krl is a list of one section.
func krl(format uint32, kind byte, data []byte) []byte {
	b := append([]byte("SSHKRL\n\x00"), wire.AppendUint32(nil, format)...)
	b = append(b, make([]byte, 24+8)...)
	return wire.AppendString(append(b, kind), data)
}

// FIL-5: what a list says and we do not understand is an error.
func TestRevokedRefuses(t *testing.T) {
	ext := func(critical bool) []byte {
		return wire.AppendString(wire.AppendBool(wire.AppendText(nil, "x@y"), critical), nil)
	}
	bitmap := func(n int) []byte {
		bits := make([]byte, n)
		bits[0] = 1
		b := wire.AppendString(wire.AppendString(nil, nil), nil)
		return wire.AppendString(append(b, 0x22), wire.AppendMpint(wire.AppendUint64(nil, 100), bits))
	}
	for name, c := range map[string]struct {
		file []byte
		good bool
	}{
		"empty":              {nil, true},
		"no sections":        {krl(1, 2, nil), true},
		"format":             {krl(2, 2, nil), false},
		"section":            {krl(1, 9, nil), false},
		"extension":          {krl(1, 255, ext(false)), true},
		"critical extension": {krl(1, 255, ext(true)), false},
		"cut":                {krl(1, 2, []byte{0, 0, 0, 9})[:40], false},
		"cut in a section":   {krl(1, 2, []byte{0, 0, 0, 9}), false},
		"certificates cut":   {krl(1, 1, []byte{0, 0}), false},
		"unknown of certs":   {krl(1, 1, append(make([]byte, 8), 0x24, 0, 0, 0, 0)), false},
		"largest bitmap":     {krl(1, 1, bitmap(keyfile.MaxBitmap)), true},
		"larger bitmap":      {krl(1, 1, bitmap(keyfile.MaxBitmap+1)), false},
		"text":               {[]byte("ssh-ed25519 nonsense\n"), false},
		"too large":          {make([]byte, keyfile.MaxRevokedSize+1), false},
	} {
		if _, err := keyfile.ParseRevoked(c.file); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRevoked(f *testing.F) {
	certs := wire.AppendString(wire.AppendString(nil, nil), nil)
	certs = wire.AppendString(append(certs, 0x20), wire.AppendUint64(nil, 7))
	certs = wire.AppendString(append(certs, 0x21), wire.AppendUint64(wire.AppendUint64(nil, 9), 12))
	certs = wire.AppendString(append(certs, 0x22), wire.AppendMpint(wire.AppendUint64(nil, 100), []byte{5}))
	certs = wire.AppendString(append(certs, 0x23), wire.AppendText(nil, "id"))
	f.Add(krl(1, 1, certs))
	f.Add(krl(1, 3, wire.AppendText(nil, "01234567890123456789")))
	f.Add([]byte("# text\n"))
	var cert []byte
	for name, file := range stock() {
		if bytes.Contains([]byte(name), []byte("-cert.pub")) {
			cert = file
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		list, err := keyfile.ParseRevoked(file)
		if err != nil {
			return
		}
		if k, _, err := keyfile.ParsePublicKeyFile(bytes.TrimSpace(cert)); err == nil {
			_ = fmt.Sprint(list.Has(k))
		}
	})
}
