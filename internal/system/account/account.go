package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxName is the longest account name looked for, in bytes.
	MaxName = 256
	// MaxFile is how much of an account file is read, in bytes.
	MaxFile = 64 << 20
	// Timeout is how long a getent may take: directories can hang.
	Timeout = 10 * time.Second
)

// ErrUnknown says that there is no such account or group.
var ErrUnknown = errors.New("account: unknown")

// Account is an entry of the user database.
type Account struct {
	Name     string
	Password string // the field of passwd: "x" when the hash is in shadow
	UID, GID uint32
	Gecos    string
	Home     string
	Shell    string // never empty: /bin/sh where the field is
	// ShellField is the field as it stands.
	ShellField string
}

// Group is an entry of the group database.
type Group struct {
	Name string // "" when the number has no entry
	GID  uint32
}

// Shadow is an entry of the shadow database. Days are counted from 1970-01-01;
// -1 is an empty field.
type Shadow struct {
	Password                                     string
	LastChange, Min, Max, Warn, Inactive, Expire int
}

// Database says where accounts are. The zero value knows none.
type Database struct {
	Passwd, Group, Shadow string // files
	Switch                string // nsswitch.conf; "" with Getent: always ask
	Getent                string // program; "" never asks
}

// System is the database of this machine.
func System() *Database {
	return &Database{
		Passwd: "/etc/passwd",
		Group:  "/etc/group",
		Shadow: "/etc/shadow",
		Switch: "/etc/nsswitch.conf",
		Getent: getent(),
	}
}

func getent() string {
	for _, p := range [...]string{"/usr/bin/getent", "/bin/getent"} {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p
		}
	}
	return ""
}

// ValidName tells whether name can be that of an account: not empty, at most
// MaxName bytes, none of which ends a field or a line, no leading sign that
// old files or programs take for something else.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxName || name[0] == '-' || name[0] == '+' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == 0x7f || c == ':' || c == ',' || c == '/' {
			return false
		}
	}
	return true
}

// Lookup finds the account called name; ErrUnknown when there is none.
func (d *Database) Lookup(name string) (*Account, error) {
	if !ValidName(name) {
		return nil, ErrUnknown
	}
	return d.user(name, func(a *Account) bool { return a.Name == name })
}

// LookupID finds the first account with number uid; ErrUnknown when there is
// none.
func (d *Database) LookupID(uid uint32) (*Account, error) {
	return d.user(strconv.FormatUint(uint64(uid), 10), func(a *Account) bool { return a.UID == uid })
}

// user looks in the file, then asks getent for key. What getent says must
// match too: it takes a number for a name.
func (d *Database) user(key string, match func(*Account) bool) (*Account, error) {
	lines := func(b []byte) (*Account, bool) {
		for line := range bytes.Lines(b) {
			if a, ok := parseAccount(string(line)); ok && match(a) {
				return a, true
			}
		}
		return nil, false
	}
	b, err := readFile(d.Passwd)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if a, ok := lines(b); ok {
		return a, nil
	}
	out, err := d.ask("passwd", key)
	if err != nil {
		return nil, err
	}
	if a, ok := lines(out); ok {
		return a, nil
	}
	return nil, ErrUnknown
}

// parseAccount reads a line of passwd(5).
func parseAccount(line string) (*Account, bool) {
	f, ok := fields(line, 7)
	if !ok {
		return nil, false
	}
	uid, ok1 := number(f[2])
	gid, ok2 := number(f[3])
	if !ok1 || !ok2 {
		return nil, false
	}
	a := &Account{Name: f[0], Password: f[1], UID: uid, GID: gid, Gecos: f[4], Home: f[5], Shell: f[6], ShellField: f[6]}
	if a.Shell == "" {
		a.Shell = "/bin/sh"
	}
	return a, true
}

// GroupIDs are the groups of a, the primary one first, each once.
func (d *Database) GroupIDs(a *Account) ([]uint32, error) {
	ids := []uint32{a.GID}
	add := func(id uint32) {
		for _, have := range ids {
			if have == id {
				return
			}
		}
		ids = append(ids, id)
	}
	if d.elsewhere("initgroups") {
		// NAME followed by the numbers, the members of /etc/group included.
		if out, err := d.ask("initgroups", a.Name); err == nil {
			f := strings.Fields(string(out))
			if len(f) > 0 && f[0] == a.Name {
				for _, s := range f[1:] {
					if id, ok := number(s); ok {
						add(id)
					}
				}
				return ids, nil
			}
		}
	}
	b, err := readFile(d.Group)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return ids, err
	}
	for line := range bytes.Lines(b) {
		f, ok := fields(string(line), 4)
		if !ok {
			continue
		}
		id, ok := number(f[2])
		if !ok {
			continue
		}
		for m := range strings.SplitSeq(f[3], ",") {
			if m == a.Name {
				add(id)
				break
			}
		}
	}
	return ids, nil
}

// Groups are the groups of a with their names, as AllowGroups sees them.
func (d *Database) Groups(a *Account) ([]Group, error) {
	ids, err := d.GroupIDs(a)
	groups := make([]Group, len(ids))
	left := len(ids)
	for i, id := range ids {
		groups[i].GID = id
	}
	b, _ := readFile(d.Group)
	for line := range bytes.Lines(b) {
		if left == 0 {
			break
		}
		f, ok := fields(string(line), 4)
		if !ok {
			continue
		}
		if id, ok := number(f[2]); ok {
			for i := range groups {
				if groups[i].GID == id && groups[i].Name == "" {
					groups[i].Name = f[0]
					left--
				}
			}
		}
	}
	for i := range groups {
		if groups[i].Name == "" {
			if out, err := d.ask("group", strconv.FormatUint(uint64(groups[i].GID), 10)); err == nil {
				if f, ok := fields(string(out), 4); ok {
					groups[i].Name = f[0]
				}
			}
		}
	}
	return groups, err
}

// LookupGroup finds the group called name; ErrUnknown when there is none.
func (d *Database) LookupGroup(name string) (Group, error) {
	if !ValidName(name) {
		return Group{}, ErrUnknown
	}
	return d.group(name, func(g Group) bool { return g.Name == name })
}

// LookupGroupID finds the first group with number gid; ErrUnknown when there
// is none.
func (d *Database) LookupGroupID(gid uint32) (Group, error) {
	return d.group(strconv.FormatUint(uint64(gid), 10), func(g Group) bool { return g.GID == gid })
}

// group looks in the file, then asks getent for key, as user does.
func (d *Database) group(key string, match func(Group) bool) (Group, error) {
	find := func(b []byte) (Group, bool) {
		for line := range bytes.Lines(b) {
			f, ok := fields(string(line), 4)
			if !ok {
				continue
			}
			if id, ok := number(f[2]); ok {
				if g := (Group{Name: f[0], GID: id}); match(g) {
					return g, true
				}
			}
		}
		return Group{}, false
	}
	b, err := readFile(d.Group)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Group{}, err
	}
	if g, ok := find(b); ok {
		return g, nil
	}
	out, err := d.ask("group", key)
	if err != nil {
		return Group{}, err
	}
	if g, ok := find(out); ok {
		return g, nil
	}
	return Group{}, ErrUnknown
}

// LookupShadow finds the shadow entry of name; ErrUnknown when there is none.
// Only root may read the file, as a rule.
func (d *Database) LookupShadow(name string) (*Shadow, error) {
	if !ValidName(name) {
		return nil, ErrUnknown
	}
	find := func(b []byte) (*Shadow, bool) {
		for line := range bytes.Lines(b) {
			f, ok := fields(string(line), 9)
			if !ok || f[0] != name {
				continue
			}
			s := &Shadow{Password: f[1]}
			for i, p := range [...]*int{&s.LastChange, &s.Min, &s.Max, &s.Warn, &s.Inactive, &s.Expire} {
				if n, err := strconv.Atoi(f[2+i]); err == nil {
					*p = n
				} else {
					*p = -1
				}
			}
			return s, true
		}
		return nil, false
	}
	b, err := readFile(d.Shadow)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	defer clear(b)
	if s, ok := find(b); ok {
		return s, nil
	}
	out, err := d.ask("shadow", name)
	if err != nil {
		return nil, err
	}
	defer clear(out)
	if s, ok := find(out); ok {
		return s, nil
	}
	return nil, ErrUnknown
}

// UsualHash is a password hash of shadow as most accounts have it, by method and
// length; "" when there is none, or none may be read.
func (d *Database) UsualHash() string {
	b, err := readFile(d.Shadow)
	if err != nil {
		return ""
	}
	defer clear(b)
	count, best := map[string]int{}, ""
	for line := range bytes.Lines(b) {
		f, ok := fields(string(line), 9)
		if !ok || !strings.HasPrefix(f[1], "$") {
			continue
		}
		kind := kindOf(f[1])
		if count[kind]++; best == "" || count[kind] > count[kindOf(best)] {
			best = f[1]
		}
	}
	return best
}

// kindOf is the method of a hash and, where it has them, its parameters.
func kindOf(hash string) string {
	parts := strings.SplitN(hash, "$", 4)
	if len(parts) < 3 {
		return ""
	}
	switch kind := parts[1]; {
	case kind == "2a", kind == "2b", kind == "2y", kind == "y", kind == "gy", strings.HasPrefix(parts[2], "rounds="):
		return kind + "$" + parts[2]
	default:
		return kind
	}
}

// ask runs getent where other sources than files exist; nothing found is no
// error.
func (d *Database) ask(database, key string) ([]byte, error) {
	if d.Getent == "" || !d.elsewhere(database) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.Getent, database, key)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &exit) && exit.ExitCode() == 2: // not found
		return nil, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return nil, fmt.Errorf("account: getent %s: %w", database, err)
}

// elsewhere tells whether the switch file names a source for database that is
// not a file we read ourselves. Without a line of its own, initgroups is what
// group is.
func (d *Database) elsewhere(database string) bool {
	if d.Switch == "" {
		return d.Getent != ""
	}
	b, err := readFile(d.Switch)
	if err != nil {
		return false // the C library's default is files alone
	}
	for line := range bytes.Lines(b) {
		s, _, _ := strings.Cut(string(line), "#")
		name, sources, ok := strings.Cut(s, ":")
		if !ok || strings.TrimSpace(name) != database {
			continue
		}
		action := false // within [NOTFOUND=return]
		for _, w := range strings.Fields(sources) {
			if strings.HasPrefix(w, "[") {
				action = true
			}
			if !action && w != "files" {
				return true
			}
			if strings.HasSuffix(w, "]") {
				action = false
			}
		}
		return false
	}
	return database == "initgroups" && d.elsewhere("group")
}

// fields splits a line into n fields at colons; comments, lines for old
// network sources and lines of another shape are not ok.
func fields(line string, n int) ([]string, bool) {
	line = strings.TrimRight(line, "\r\n")
	if line == "" || line[0] == '#' || line[0] == '+' || line[0] == '-' {
		return nil, false
	}
	f := strings.Split(line, ":")
	return f, len(f) == n && f[0] != ""
}

func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1 // (uid_t)-1 means "no change"
}

// readFile reads an account file, which must be a regular one within MaxFile.
func readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > MaxFile {
		return nil, fmt.Errorf("account: %s: not a file of at most %d bytes", path, MaxFile)
	}
	b := make([]byte, st.Size()+1)
	n := 0
	for n < len(b) {
		m, err := f.Read(b[n:])
		n += m
		if err != nil || m == 0 {
			break
		}
	}
	return b[:n], nil
}
