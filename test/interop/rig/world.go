package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// The account that exists inside the rig when it is root's.
const (
	testUser = "tester"
	testUID  = 60999
	// Password is that account's; its hash is in the rig's /etc/shadow.
	Password     = "interop"
	passwordHash = "$6$nacre$LYbm0yoit5NiROaLvlacfTnPN6W.HsJWZmLWlzVeuhug3eW77Q/3U.1BQEaX7DGvNcmvTJRq62uCoGZHFnsCc."
	// The account that our own server's network rooms run as.
	roomUser = "nacre"
	roomUID  = 60998
)

// KeyTypes are the kinds of key that every World has, as host key and as
// user key, by the name ssh-keygen knows them by and their bits.
var KeyTypes = [...]struct {
	Name, Kind, Bits string
}{
	{"ed25519", "ed25519", ""},
	{"ecdsa256", "ecdsa", "256"},
	{"ecdsa384", "ecdsa", "384"},
	{"ecdsa521", "ecdsa", "521"},
	{"rsa3072", "rsa", "3072"},
}

// World is a scratch folder with keys and an account to log in to.
type World struct {
	Dir      string // readable by everybody
	User     string // who logs in
	Home     string
	Root     bool // the account is the rig's own; passwords work
	UID, GID int
	Tree     string // the source tree, where build/ is

	bound []string // what we bound over
}

// NewWorld makes keys and the account. Close takes all of it away.
func NewWorld() (*World, error) {
	dir, err := os.MkdirTemp("/tmp", "nacre-rig-")
	if err != nil {
		return nil, err
	}
	w := &World{Dir: dir}
	if err := w.make(); err != nil {
		w.Close()
		return nil, fmt.Errorf("rig: %w", err)
	}
	return w, nil
}

// Close removes the scratch folder, and the account's.
func (w *World) Close() error {
	for _, real := range w.bound {
		unbind(real)
	}
	if w.Root && w.Home != "" {
		os.RemoveAll(w.Home)
	}
	return os.RemoveAll(w.Dir)
}

// Path joins name to the scratch folder.
func (w *World) Path(name ...string) string {
	return filepath.Join(append([]string{w.Dir}, name...)...)
}

// HostKey and UserKey are the private key files of a kind in KeyTypes; the
// public half is beside each, with ".pub" behind the name.
func (w *World) HostKey(name string) string { return w.Path("host_" + name) }
func (w *World) UserKey(name string) string { return w.Path("user_" + name) }

func (w *World) make() error {
	if err := os.Chmod(w.Dir, 0o755); err != nil {
		return err
	}
	var err error
	if w.Tree, err = sourceTree(); err != nil {
		return err
	}
	if err := w.account(); err != nil {
		return err
	}
	for _, k := range KeyTypes {
		for _, file := range []string{w.HostKey(k.Name), w.UserKey(k.Name)} {
			args := []string{"-q", "-t", k.Kind, "-N", "", "-C", filepath.Base(file), "-f", file}
			if k.Bits != "" {
				args = append(args, "-b", k.Bits)
			}
			if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("ssh-keygen: %v: %s", err, out)
			}
		}
	}
	return w.authorize()
}

// authorize lets every user key in.
func (w *World) authorize() error {
	var b bytes.Buffer
	for _, k := range KeyTypes {
		pub, err := os.ReadFile(w.UserKey(k.Name) + ".pub")
		if err != nil {
			return err
		}
		b.Write(pub)
	}
	ssh := filepath.Join(w.Home, ".ssh")
	if w.Root {
		if err := os.MkdirAll(ssh, 0o700); err != nil {
			return err
		}
		// tinysshd reads no other place than the account's own.
		if err := os.WriteFile(filepath.Join(ssh, "authorized_keys"), b.Bytes(), 0o600); err != nil {
			return err
		}
		for _, p := range []string{w.Home, ssh, filepath.Join(ssh, "authorized_keys")} {
			if err := os.Chown(p, w.UID, w.GID); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(w.AuthorizedKeys(), b.Bytes(), 0o644)
}

// AuthorizedKeys is a file with every user key.
func (w *World) AuthorizedKeys() string { return w.Path("authorized_keys") }

func (w *World) account() error {
	if !Private() {
		u, err := user.Current()
		if err != nil {
			return err
		}
		w.User, w.Home = u.Username, u.HomeDir
		w.UID, _ = strconv.Atoi(u.Uid)
		w.GID, _ = strconv.Atoi(u.Gid)
		return nil
	}
	w.User, w.Root, w.UID, w.GID = testUser, true, testUID, testUID
	// Not below /tmp: tinysshd lets nobody in whose folder, or any above it,
	// others may write to.
	home, err := os.MkdirTemp("/run", "nacre-rig-home-")
	if err != nil {
		return err
	}
	w.Home = home
	if err := os.Chmod(w.Home, 0o755); err != nil {
		return err
	}
	more := [...]struct{ file, lines string }{
		{"passwd", fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n",
			testUser, testUID, testUID, w.Home, roomUser, roomUID, roomUID)},
		{"shadow", fmt.Sprintf("%s:%s:19000:0:99999:7:::\n%s:*:19000:0:99999:7:::\n", testUser, passwordHash, roomUser)},
		{"group", fmt.Sprintf("%s:x:%d:\n%s:x:%d:\n", testUser, testUID, roomUser, roomUID)},
	}
	for _, m := range more {
		real := "/etc/" + m.file
		old, err := os.ReadFile(real)
		if err != nil {
			return err
		}
		st, err := os.Stat(real)
		if err != nil {
			return err
		}
		ours := w.Path("etc_" + m.file)
		if err := os.WriteFile(ours, append(without(old, testUser, roomUser), m.lines...), st.Mode().Perm()); err != nil {
			return err
		}
		if err := bind(ours, real); err != nil {
			return err
		}
		w.bound = append(w.bound, real)
	}
	return nil
}

// without drops the lines of the accounts named.
func without(b []byte, names ...string) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		keep := true
		for _, n := range names {
			keep = keep && !bytes.HasPrefix(line, []byte(n+":"))
		}
		if keep {
			out = append(out, line...)
		}
	}
	return out
}

func sourceTree() (string, error) {
	d, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		up := filepath.Dir(d)
		if up == d {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		d = up
	}
}

// Build compiles the package at path (below the tree) into build/rig and
// returns the file.
func (w *World) Build(path string) (string, error) {
	out := filepath.Join(w.Tree, "build", "rig", filepath.Base(path))
	cmd := exec.Command("go", "build", "-o", out, "./"+path)
	cmd.Dir = w.Tree
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("rig: go build %s: %v\n%s", path, err, b)
	}
	return out, nil
}

// Version runs a program with a flag that makes it name itself and returns
// the first line.
func Version(file string, args ...string) string {
	out, _ := exec.Command(file, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
