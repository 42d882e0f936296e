package client

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/ssh"
)

// habitsFile is what the file of habits is called. It lies beside the first
// known_hosts file of the person: who keeps none wants nothing remembered.
const habitsFile = "nacre_hosts"

// Limits of the file of habits.
const (
	MaxHabits     = 500       // hosts remembered; the one written longest ago goes first
	MaxHabitsFile = 128 << 10 // bytes of the file that are read
	maxHabitField = 64        // bytes of a name in it
	habitsStale   = 10 * time.Second
)

// Habits is how a server behaved at the last login: what lets the next one
// take fewer round trips. It is a hint and never trusted: a wrong one costs a
// round trip, or a second connection before anything was done, and nothing
// else. Neither host nor key can be read out of it.
type Habits struct {
	Kex, HostKey string        // first names in the server's KEXINIT
	Agreed       string        // key exchange that was agreed on
	Keys         string        // hash of the identities and of the one that logged in
	RTT          time.Duration // to the server, in ms
	Surprises    int           // connections lost to a wrong hint, up to surprisesMax: then none is used
}

const surprisesMax = 2

// hopeful reports whether hints about the server are worth a try.
func (b *Habits) hopeful() bool { return b != nil && b.Surprises < surprisesMax }

// HabitsFile is the file of habits of a configuration; "" for none.
func (h *HostKeys) HabitsFile() string {
	files := h.userFiles()
	if len(files) == 0 {
		return ""
	}
	if st, err := os.Stat(files[0]); err == nil && !st.Mode().IsRegular() {
		return "" // /dev/null
	}
	dir := filepath.Dir(files[0])
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() || !oursAlone(st) {
		return ""
	}
	return filepath.Join(dir, habitsFile)
}

// habits is the file, read.
type habits struct {
	name  string
	salt  []byte
	lines []string // the one written last is the last
}

const habitsHead = "# nacre: how servers behaved; only for speed, may be deleted. "

// readHabits reads the file. One that cannot be read, is not ours or makes no
// sense is as good as empty.
func readHabits(name string) *habits {
	h := &habits{name: name}
	if data := readOurs(name, MaxHabitsFile); data != nil {
		h.parse(data)
	}
	if h.salt == nil {
		h.salt = make([]byte, 16)
		rand.Read(h.salt)
	}
	return h
}

// readOurs reads a regular file that nobody else may write; nil if there is
// none such.
func readOurs(name string, limit int64) []byte {
	st, err := os.Lstat(name)
	if err != nil || !st.Mode().IsRegular() || !oursAlone(st) || st.Size() > limit {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return data
}

// parse takes the file apart: a head with the salt, then a line a host.
func (h *habits) parse(data []byte) {
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	text, ok := strings.CutPrefix(string(head), habitsHead)
	if !ok {
		return
	}
	salt, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(salt) != 16 {
		return
	}
	h.salt = salt
	for line := range strings.Lines(string(rest)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && len(h.lines) < MaxHabits {
			h.lines = append(h.lines, line)
		}
	}
}

// hash is what stands in the file for something that it must not tell.
func (h *habits) hash(parts ...string) string {
	m := hmac.New(sha256.New, h.salt)
	for _, p := range parts {
		io.WriteString(m, p+"\x00")
	}
	return base64.RawStdEncoding.EncodeToString(m.Sum(nil)[:15])
}

// find is what is remembered of a host, nil for nothing.
func (h *habits) find(host string) *Habits {
	key := h.hash(host)
	for _, line := range h.lines {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			return parseHabits(rest)
		}
	}
	return nil
}

// parseHabits reads the fields behind a host's hash; nil where they make no
// sense.
func parseHabits(s string) *Habits {
	f := strings.Split(s, " ")
	if len(f) != 6 {
		return nil
	}
	for _, name := range f {
		if len(name) > maxHabitField || name == "" || strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
			return nil
		}
	}
	ms, err := strconv.ParseUint(f[4], 10, 16)
	surprises, err2 := strconv.ParseUint(f[5], 10, 8)
	if err != nil || err2 != nil || surprises > surprisesMax {
		return nil
	}
	b := &Habits{Kex: f[0], HostKey: f[1], Agreed: f[2], RTT: time.Duration(ms) * time.Millisecond, Surprises: int(surprises)}
	if f[3] != "-" {
		b.Keys = f[3]
	}
	return b
}

func (b *Habits) String() string {
	name := func(s string) string {
		if s == "" || len(s) > maxHabitField {
			return "-"
		}
		return s
	}
	ms := min(b.RTT.Milliseconds(), 1<<16-1)
	return strings.Join([]string{name(b.Kex), name(b.HostKey), name(b.Agreed), name(b.Keys), strconv.FormatInt(ms, 10), strconv.Itoa(b.Surprises)}, " ")
}

// set remembers b for a host, as the one met last; nil forgets it.
func (h *habits) set(host string, b *Habits) {
	key := h.hash(host)
	lines := h.lines[:0:0]
	for _, line := range h.lines {
		if !strings.HasPrefix(line, key+" ") {
			lines = append(lines, line)
		}
	}
	if b != nil {
		lines = append(lines, key+" "+b.String())
	}
	if len(lines) > MaxHabits {
		lines = lines[len(lines)-MaxHabits:]
	}
	h.lines = lines
}

// rememberHabits changes a host's entry in the file. Another program that is
// at it goes first: then nothing is remembered this time. It is never waited
// for, and no failure is worth a word.
func rememberHabits(file, host string, change func(h *habits, old *Habits) *Habits) {
	tmp := file + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if st, err := os.Lstat(tmp); err == nil && time.Since(st.ModTime()) > habitsStale {
			os.Remove(tmp) // of a program that was killed
		}
		return
	}
	h := readHabits(file)
	old := h.find(host)
	b := change(h, old)
	if old == b || old != nil && b != nil && old.same(b) {
		f.Close()
		os.Remove(tmp)
		return
	}
	h.set(host, b)
	text := habitsHead + base64.RawStdEncoding.EncodeToString(h.salt) + "\n"
	if len(h.lines) > 0 {
		text += strings.Join(h.lines, "\n") + "\n"
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		os.Remove(tmp)
	}
}

// same reports whether writing b in the place of old would be a waste: the path
// is a little faster or slower every time.
func (old *Habits) same(b *Habits) bool {
	near := old.RTT/2 <= b.RTT && b.RTT <= 2*old.RTT+5*time.Millisecond
	o, n := *old, *b
	o.RTT, n.RTT = 0, 0
	return near && o == n
}

// recall reads what is remembered of the server.
func (k *Connector) recall() {
	k.habits, k.habitFile = nil, nil
	if file := k.HostKeys.HabitsFile(); file != "" && k.habitName() != "" {
		k.habitFile = readHabits(file)
		k.habits = k.habitFile.find(k.habitName())
	}
}

// habitName is a server as the file of habits knows it: the account counts too.
func (k *Connector) habitName() string { return k.Conf.User + "@" + k.HostKeys.Name() }

// hints reports whether what is remembered is used in this try.
func (k *Connector) hints() bool { return k.again() && k.habits.hopeful() }

// again reports whether another connection can be made if this one is lost to a
// hint.
func (k *Connector) again() bool { return !k.cautious && k.Conf.ProxyCommand != "-" }

// farEnough is the round trip that makes it worth a server's while to sign with
// RSA, 2 ms of its time, when that makes a guess right.
const farEnough = 10 * time.Millisecond

// guess puts the server's favourites first where that makes a guess right and
// takes nothing away: the key exchange must be the one that our own order gave
// the last time, and no older kind than our favourite; the host key must be
// known. The order that the person gave stays. It reports whether both
// favourites agree then.
func (k *Connector) guess(cfg *ssh.ClientConfig) bool {
	b := k.habits
	if !k.hints() {
		return false
	}
	if b.Agreed == b.Kex && b.Kex != "" {
		cfg.KeyExchanges = favour(cfg.KeyExchanges, b.Kex, func() bool { return notOlder(b.Kex, cfg.KeyExchanges[0]) })
	}
	if !k.Conf.IsSet("HostKeyAlgorithms") && b.RTT >= farEnough {
		cfg.HostKeyAlgorithms = favour(cfg.HostKeyAlgorithms, b.HostKey, func() bool {
			return k.HostKeys.hosts.Knows(k.HostKeys.Name(), b.HostKey)
		})
	}
	return leads(cfg.KeyExchanges, b.Kex) && leads(cfg.HostKeyAlgorithms, b.HostKey)
}

func leads(list []string, name string) bool { return len(list) > 0 && list[0] == name }

// notOlder reports whether a secret that method makes is as safe from the
// machines of the future as one that favourite makes.
func notOlder(method, favourite string) bool {
	m, f := kex.MethodByName(method), kex.MethodByName(favourite)
	return m != nil && f != nil && (m.PostQuantum || !f.PostQuantum)
}

// favour is list with name, one of it, first, if allowed says so.
func favour(list []string, name string, allowed func() bool) []string {
	if leads(list, name) {
		return list
	}
	for i, s := range list {
		if s == name && allowed() {
			out := append([]string{name}, list[:i]...)
			return append(out, list[i+1:]...)
		}
	}
	return list
}

// bearsWrongGuess: paramiko and asyncssh take a wrong guess for the real
// message, tinyssh judges it by the method alone. They are not made to guess
// about: their configuration may change.
func bearsWrongGuess(version string) bool {
	v := strings.ToLower(strings.TrimPrefix(version, "SSH-2.0-"))
	return !strings.HasPrefix(v, "paramiko") && !strings.HasPrefix(v, "asyncssh") && !strings.HasPrefix(v, "tinyssh")
}

// remembered reports whether an identity logged us in the last time, when the
// others were the same.
func (k *Connector) remembered(id *Identity) bool {
	return k.hints() && k.habits.Keys != "" && id.Key != nil && k.habits.Keys == k.habitFile.hash(k.Identities.habit(id.Key))
}

// habit stands for the identities and the one of them that logged in.
func (ids *Identities) habit(used ssh.PublicKey) string {
	var b strings.Builder
	b.WriteString(ids.fingerprint(used))
	for _, id := range ids.all {
		b.WriteByte(' ')
		if id.Key == nil {
			b.WriteString(id.File)
		} else {
			b.WriteString(ids.fingerprint(id.Key))
		}
	}
	return b.String()
}

// remember writes down what the login showed. used is the key that made it, if
// one did alone.
func (k *Connector) remember(c *ssh.Client, used ssh.PublicKey) {
	if k.habitFile == nil || k.HostKeys.Unsafe || !k.HostKeys.Trusted {
		return
	}
	g := c.Guess()
	now := &Habits{Kex: g.Kex, HostKey: g.HostKey, Agreed: c.Algorithms().Kex, RTT: c.RTT().Round(time.Millisecond)}
	if !bearsWrongGuess(string(c.ServerVersion())) {
		now.Kex, now.HostKey = "-", "-"
	}
	keys := func(h *habits) string {
		if used == nil {
			return ""
		}
		return h.hash(k.Identities.habit(used))
	}
	if old := k.habits; old != nil && !k.cautious {
		now.Keys, now.Surprises = keys(k.habitFile), old.Surprises
		if old.same(now) {
			return
		}
	}
	rememberHabits(k.habitFile.name, k.habitName(), func(h *habits, old *Habits) *Habits {
		now.Keys, now.Surprises = keys(h), 0
		if old != nil {
			now.Surprises = old.Surprises
		}
		if k.cautious {
			now.Surprises = min(now.Surprises+1, surprisesMax)
		}
		return now
	})
}
