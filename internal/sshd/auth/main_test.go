//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

// As root the tests have a machine of their own, with real accounts.
func TestMain(m *testing.M) {
	world.Enter()
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// needRoot skips where there is no world.
func needRoot(t testing.TB) {
	t.Helper()
	if !world.Here() {
		t.Skip("peer lacks root, which makes accounts")
	}
}

// lineLog keeps lines of the log, as "LEVEL text[ [preauth]]".
type lineLog struct {
	mu    sync.Mutex
	level sshconfig.LogLevel
	lines []string
}

func (l *lineLog) add(v sshconfig.LogLevel, suffix, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v <= l.level {
		l.lines = append(l.lines, v.String()+" "+fmt.Sprintf(format, args...)+suffix)
	}
}

func (l *lineLog) Logf(v sshconfig.LogLevel, format string, args ...any) {
	l.add(v, "", format, args...)
}

func (l *lineLog) Pref(v sshconfig.LogLevel, format string, args ...any) {
	l.add(v, " [preauth]", format, args...)
}

func (l *lineLog) SetLevel(v sshconfig.LogLevel) { l.level = v }
func (l *lineLog) SetVerbose([]string)           {}

// take returns the lines since the last time.
func (l *lineLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.lines
	l.lines = nil
	return all
}

// want compares the lines since the last time.
func (l *lineLog) want(t testing.TB, lines ...string) {
	t.Helper()
	if got := l.take(); !slices.Equal(got, lines) {
		t.Errorf("log:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

// host makes a Host of a configuration's text over the accounts of db.
func host(t testing.TB, db *account.Database, config string) *Host {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sshd_config")
	must(t, os.WriteFile(file, []byte("LogLevel VERBOSE\n"+config), 0o644))
	keys := sshconfig.NameList{Default: pubkey.DefaultHostKeyAlgorithms(), Known: pubkey.Query("key-sig")}
	x := &sshconfig.ServerContext{Files: sshconfig.OSFiles{}, Version: "OpenSSH_10.5", Directory: "/",
		Algorithms: sshconfig.Algorithms{HostKeyAlgorithms: keys, PubkeyAcceptedAlgorithms: keys, HostbasedAcceptedAlgorithms: keys,
			CASignatureAlgorithms: sshconfig.NameList{Default: pubkey.DefaultCASignatureAlgorithms(), Known: pubkey.Query("sig")}},
		Groups: func(user string) ([]string, bool) {
			a, err := db.Lookup(user)
			if err != nil {
				return nil, false
			}
			return GroupNames(db, a), true
		}}
	cfg := sshconfig.NewServer(x)
	must(t, cfg.Load(sshconfig.ServerFile(file)...))
	return &Host{Config: cfg, DB: db}
}

// peer is a connection from 192.0.2.1 port 4711.
func peer(l Lines) Peer {
	return Peer{Remote: netip.MustParseAddrPort("192.0.2.1:4711"), Local: netip.MustParseAddrPort("198.51.100.1:22"), Lines: l}
}

// visit begins a connection for a user.
func visit(t testing.TB, h *Host, user string) (*Visitor, *Policy, *lineLog) {
	t.Helper()
	l := &lineLog{level: sshconfig.Verbose}
	v := h.Visit(peer(l))
	t.Cleanup(func() { v.End(context.Background()) })
	p, err := v.Meet(t.Context(), user, "")
	must(t, err)
	return v, p, l
}

// nativePath builds nacre-native once.
var nativePath = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nacre-native-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nacre-native")
	cmd := exec.Command("go", "build", "-o", path, "../../../cmd/nacre-native")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %v\n%s", err, out)
	}
	return path, nil
})
