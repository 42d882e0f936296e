package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

var someHabits = Habits{Kex: "mlkem768x25519-sha256", HostKey: "ssh-ed25519", Agreed: "mlkem768x25519-sha256", Keys: "abc", RTT: 40 * time.Millisecond}

func keep(b Habits) func(*habits, *Habits) *Habits {
	return func(*habits, *Habits) *Habits { return &b }
}

func TestHabitsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), habitsFile)
	rememberHabits(file, "ann@one", keep(someHabits))
	if got := readHabits(file).find("ann@one"); got == nil || *got != someHabits {
		t.Fatalf("read %+v", got)
	}
	if got := readHabits(file).find("ann@two"); got != nil {
		t.Errorf("another host has %+v", got)
	}
	data, _ := os.ReadFile(file)
	if strings.Contains(string(data), "one") || strings.Contains(string(data), "ann") {
		t.Errorf("the file tells the host: %s", data)
	}
	if st, _ := os.Stat(file); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", st.Mode())
	}
	// What is as before is not written again.
	before, _ := os.Stat(file)
	near := someHabits
	near.RTT += time.Millisecond
	rememberHabits(file, "ann@one", keep(near))
	if now, _ := os.Stat(file); !os.SameFile(before, now) {
		t.Error("written although nothing has changed")
	}
	rememberHabits(file, "ann@one", func(*habits, *Habits) *Habits { return nil })
	if got := readHabits(file).find("ann@one"); got != nil {
		t.Errorf("forgotten, but %+v", got)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// The file never holds more than MaxHabits hosts, and the newest stay.
func TestHabitsBound(t *testing.T) {
	h := &habits{salt: make([]byte, 16)}
	for i := range MaxHabits + 1 {
		h.set(fmt.Sprint("host", i), &someHabits)
	}
	if len(h.lines) != MaxHabits || h.find("host0") != nil || h.find("host1") == nil || h.find(fmt.Sprint("host", MaxHabits)) == nil {
		t.Errorf("%d lines, first %v, second %v", len(h.lines), h.find("host0"), h.find("host1"))
	}
	file := filepath.Join(t.TempDir(), habitsFile)
	rememberHabits(file, "host", keep(someHabits))
	data, _ := os.ReadFile(file)
	for _, c := range []struct {
		size int
		read bool
	}{{MaxHabitsFile, true}, {MaxHabitsFile + 1, false}} {
		text := string(data) + strings.Repeat("x", c.size-len(data))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readHabits(file).find("host"); got != nil != c.read {
			t.Errorf("of %d bytes: %v", c.size, got)
		}
	}
}

// Somebody else's file, or one that is being written, is left alone.
func TestHabitsOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), habitsFile)
	rememberHabits(file, "host", keep(someHabits))
	os.Chmod(file, 0o622)
	if readHabits(file).find("host") != nil {
		t.Error("a file that others may write was read")
	}
	os.Chmod(file, 0o600)
	os.Rename(file, file+".real")
	os.Symlink(file+".real", file)
	if readHabits(file).find("host") != nil {
		t.Error("a link was followed")
	}
	os.Remove(file)
	os.WriteFile(file+".new", nil, 0o600)
	rememberHabits(file, "host", keep(someHabits))
	if _, err := os.Stat(file); err == nil {
		t.Error("written while another program was at it")
	}
	old := time.Now().Add(-2 * habitsStale)
	os.Chtimes(file+".new", old, old)
	rememberHabits(file, "host", keep(someHabits)) // takes the rest of a dead one away
	rememberHabits(file, "host", keep(someHabits))
	if readHabits(file).find("host") == nil {
		t.Error("not written after a program that died")
	}
}

func TestHabitsPlace(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{filepath.Join(dir, "known_hosts"), "/elsewhere"}, filepath.Join(dir, habitsFile)},
		{[]string{"none"}, ""},
		{[]string{os.DevNull}, ""},
		{[]string{"/nowhere at all/known_hosts"}, ""},
		{nil, ""},
	} {
		h := &HostKeys{Conf: &sshconfig.Client{}}
		h.Conf.UserKnownHostsFile = c.files
		if got := h.HabitsFile(); got != c.want {
			t.Errorf("%q: %q, want %q", c.files, got, c.want)
		}
	}
}

// A hint reorders, and never to a key exchange that is of an older kind.
func TestFavour(t *testing.T) {
	yes := func() bool { return true }
	if got := favour([]string{"a", "b", "c"}, "c", yes); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Error(got)
	}
	for _, name := range []string{"a", "x"} {
		if got := favour([]string{"a", "b"}, name, yes); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := favour([]string{"a", "b"}, "b", func() bool { return false }); got[0] != "a" {
		t.Error(got)
	}
	for _, c := range []struct {
		method, favourite string
		want              bool
	}{
		{"curve25519-sha256", "mlkem768x25519-sha256", false},
		{"sntrup761x25519-sha512", "mlkem768x25519-sha256", true},
		{"ecdh-sha2-nistp256", "curve25519-sha256", true},
		{"no such method", "curve25519-sha256", false},
	} {
		if got := notOlder(c.method, c.favourite); got != c.want {
			t.Errorf("%s for %s: %v", c.method, c.favourite, got)
		}
	}
}

// A guess is made only where both favourites agree with what is remembered.
func TestGuess(t *testing.T) {
	for _, c := range []struct {
		name   string
		habits *Habits
		want   bool
		kex    string
	}{
		{"not met", nil, false, "mlkem768x25519-sha256"},
		{"right", &someHabits, true, "mlkem768x25519-sha256"},
		{"another favourite", &Habits{Kex: "sntrup761x25519-sha512", Agreed: "sntrup761x25519-sha512", HostKey: "ssh-ed25519"}, true, "sntrup761x25519-sha512"},
		{"a favourite that was not agreed on", &Habits{Kex: "sntrup761x25519-sha512", Agreed: "mlkem768x25519-sha256", HostKey: "ssh-ed25519"}, false, "mlkem768x25519-sha256"},
		{"an older one", &Habits{Kex: "curve25519-sha256", Agreed: "curve25519-sha256", HostKey: "ssh-ed25519"}, false, "mlkem768x25519-sha256"},
		{"another host key", &Habits{Kex: "mlkem768x25519-sha256", Agreed: "mlkem768x25519-sha256", HostKey: "rsa-sha2-512", RTT: time.Second}, false, "mlkem768x25519-sha256"},
		{"surprises", &Habits{Kex: "mlkem768x25519-sha256", HostKey: "ssh-ed25519", Surprises: surprisesMax}, false, "mlkem768x25519-sha256"},
		{"a server that cannot bear it", &Habits{Kex: "-", HostKey: "-", Agreed: "mlkem768x25519-sha256"}, false, "mlkem768x25519-sha256"},
	} {
		k := &Connector{Conf: &sshconfig.Client{}, habits: c.habits}
		k.HostKeys = &HostKeys{Conf: k.Conf, Log: NewLogger(nil, LevelQuiet, false)}
		k.HostKeys.Load()
		cfg := &ssh.ClientConfig{}
		cfg.KeyExchanges, cfg.HostKeyAlgorithms = kex.ClientDefaults(), []string{"ssh-ed25519", "rsa-sha2-512"}
		if got := k.guess(cfg); got != c.want || cfg.KeyExchanges[0] != c.kex || cfg.HostKeyAlgorithms[0] != "ssh-ed25519" {
			t.Errorf("%s: %v, %v %v", c.name, got, cfg.KeyExchanges, cfg.HostKeyAlgorithms)
		}
		if len(cfg.KeyExchanges) != len(kex.ClientDefaults()) {
			t.Errorf("%s: a method was lost: %v", c.name, cfg.KeyExchanges)
		}
	}
}

func FuzzHabits(f *testing.F) {
	h := &habits{salt: make([]byte, 16)}
	h.set("host", &someHabits)
	f.Add([]byte(habitsHead + "AAAAAAAAAAAAAAAAAAAAAA\n" + h.lines[0] + "\n"))
	f.Add([]byte(habitsHead + "AAAA\nx"))
	f.Add([]byte("x a b c d 1 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := &habits{}
		h.parse(data)
		if len(h.lines) > MaxHabits {
			t.Fatalf("%d lines", len(h.lines))
		}
		for _, line := range h.lines {
			_, rest, _ := strings.Cut(line, " ")
			if b := parseHabits(rest); b != nil {
				if again := parseHabits(b.String()); again == nil || *again != *b {
					t.Fatalf("%q is %+v, written %q, is %+v", rest, b, b, again)
				}
			}
		}
	})
}
