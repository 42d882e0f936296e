package keyfile_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
)

// FIL-4: any file gives a key that can be written again, or an error.
func FuzzParse(f *testing.F) {
	for name, file := range stock() {
		if !strings.Contains(name, ".") {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		pub, perr := keyfile.ParsePublic(file)
		k, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("secret"), MaxRounds: 2, MaxIterations: 4096})
		if err != nil {
			return
		}
		kpub, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		var missing *keyfile.PassphraseMissingError
		if perr == nil && !pubkey.Equal(pub, kpub) || perr != nil && !errors.As(perr, &missing) {
			t.Fatalf("ParsePublic: %v", perr)
		}
		out, err := keyfile.MarshalPrivateKey(k, k.Comment, keyfile.MarshalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := keyfile.Parse(out, keyfile.ReadOptions{})
		if err != nil || again.Comment != k.Comment {
			t.Fatalf("comes back changed: %v", err)
		}
	})
}

// FIL-4: the same below the armour, where mutation reaches more.
func FuzzParseBlock(f *testing.F) {
	types := []string{"OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY", "RSA PUBLIC KEY"}
	for name, file := range stock() {
		if b, _ := pem.Decode(file); b != nil && len(b.Headers) == 0 {
			if i := slices.Index(types, b.Type); i >= 0 {
				f.Add(byte(i), b.Bytes)
			} else {
				f.Logf("%s: %s", name, b.Type)
			}
		}
	}
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		file := pem.EncodeToMemory(&pem.Block{Type: types[int(typ)%len(types)], Bytes: b})
		if key, _, err := keyfile.ParsePublicKeyFile(file); err == nil {
			if again, err := pubkey.ParsePublicKey(key.Marshal()); err != nil || !pubkey.Equal(key, again) {
				t.Fatalf("comes back changed: %v", err)
			}
		}
		_, _ = keyfile.ParsePublic(file)
		k, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("secret"), MaxRounds: 2, MaxIterations: 4096})
		if err != nil {
			return
		}
		s, err := k.Signer()
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := s.Sign(nil, []byte("x")); err == nil {
			if err := s.PublicKey().Verify([]byte("x"), sig); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParsePublicKeyFile(f *testing.F) {
	for name, file := range stock() {
		if strings.Contains(name, ".") {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		key, _, err := keyfile.ParsePublicKeyFile(file)
		if err != nil {
			return
		}
		again, _, err := keyfile.ParsePublicKeyFile(keyfile.MarshalPublicKeyLine(key, ""))
		if err != nil || !pubkey.Equal(key, again) {
			t.Fatalf("comes back changed: %v", err)
		}
	})
}

func FuzzScanLine(f *testing.F) {
	f.Add([]byte(`command="a \"b\"",no-pty ` + line("ed25519") + " c"))
	f.Add([]byte("# x"))
	f.Add([]byte(`a="b`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := keyfile.ScanLine(b)
		if !ok {
			return
		}
		if len(l.Type) == 0 || len(l.Base64) == 0 || bytes.ContainsAny(l.Base64, " \t") {
			t.Fatalf("%q", l)
		}
		key, err := l.Key()
		if err == nil && !keyfile.NewMatcher(key).Match(&l) {
			t.Fatal("a line does not match its own key")
		}
		_, _ = keyfile.ParseOptions(string(l.Options), nil)
		_, _, _, _, _ = keyfile.ParseAuthorizedKey(b)
	})
}

func FuzzParseOptions(f *testing.F) {
	for _, s := range []string{"", "restrict,pty", `command="x",from="10.0.0.0/8,!a"`, `environment="A=b",permitopen="[::1]:1",permitlisten="1",tunnel="any"`,
		`expiry-time="20240101Z",principals="a,b",no-touch-required`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := keyfile.ParseOptions(s, time.UTC)
		if err != nil {
			return
		}
		o.MatchSource("h", netip.MustParseAddr("10.0.0.1"))
		o.MayOpen("h", 1)
		o.MayListen("h", 1)
		if _, err := o.Merge(o); err != nil {
			t.Fatalf("cannot be merged with itself: %v", err)
		}
		if n := len(keyfile.SplitOptions(s)); n > len(s) && s != "" {
			t.Fatal("more options than bytes")
		}
	})
}

func FuzzParseTime(f *testing.F) {
	f.Add("20240101")
	f.Add("20240101030405Z")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := keyfile.ParseTime(s, nil); err == nil && (v.Unix() < 0 || len(s) < 8) {
			t.Fatalf("%q is %v", s, v)
		}
	})
}
