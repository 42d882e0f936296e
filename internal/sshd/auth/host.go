//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Host is what all connections of one configuration share. Its fields are not
// changed once it is asked.
type Host struct {
	Config *sshconfig.Server
	DB     *account.Database
	// Native is the path of the program that speaks with the system's C
	// libraries (PAM, crypt); "" where there is none.
	Native string
	// Hostbased are the files of host-based authentication.
	Hostbased HostbasedFiles
	// TZ is the time zone of the server's environment, "" if it has none.
	TZ string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// FailedLogin, if set, is told of failed passwords and dialogues and of
	// names that do not exist, for the records of the system (btmp).
	FailedLogin func(user, host string, addr netip.Addr)

	once  sync.Once
	slots chan struct{} // passwords that are being checked
	fake  string        // hash of accounts that have none
	codes sync.Mutex    // files of one-time codes are changed one at a time

	measured sync.Once
	miss     atomic.Int64 // nanoseconds that a name nobody has takes to look up
}

func (h *Host) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// Lines takes the log lines of one connection: *log.Lines does.
type Lines interface {
	// Logf writes a line if the connection's level lets it through.
	Logf(level sshconfig.LogLevel, format string, args ...any)
	// Pref is Logf for lines that OpenSSH writes in its process for strangers:
	// " [preauth]" stands behind them.
	Pref(level sshconfig.LogLevel, format string, args ...any)
	// SetLevel and SetVerbose change the connection's level and LogVerbose:
	// Match may.
	SetLevel(level sshconfig.LogLevel)
	SetVerbose(patterns []string)
}

// Peer is the other end of a connection, as the socket tells it.
type Peer struct {
	Remote, Local netip.AddrPort // zero when unknown, as over pipes
	RDomain       string
	ClientVersion string
	Lines         Lines
}

// unknownPort is the port that OpenSSH shows where there is no socket.
const unknownPort = 65535

func hostPort(a netip.AddrPort) (host string, port int) {
	if !a.IsValid() {
		return "UNKNOWN", unknownPort
	}
	return a.Addr().Unmap().WithZone("").String(), int(a.Port())
}

func portText(n int) string { return strconv.Itoa(n) }

// Visit begins the judgement of one connection.
func (h *Host) Visit(p Peer) *Visitor {
	v := &Visitor{h: h, cfg: h.Config, lines: p.Lines, rdomain: p.RDomain}
	v.remote, v.remotePort = hostPort(p.Remote)
	v.local, v.localPort = hostPort(p.Local)
	if p.Remote.IsValid() {
		v.addr = p.Remote.Addr().Unmap().WithZone("")
	}
	v.host = v.remote
	return v
}

// Fingerprint is a key's in the hash of FingerprintHash.
func Fingerprint(hash sshconfig.FingerprintHash, key pubkey.PublicKey) string {
	if hash == sshconfig.MD5 {
		return "MD5:" + pubkey.FingerprintLegacyMD5(key)
	}
	return pubkey.FingerprintSHA256(key)
}

// FindNative is the path of nacre-native for the program at self: beside it, as
// in the build tree, or in libexec/nacre of where it is installed; "" when it
// is not there. What is found is as trusted as the program itself.
func FindNative(self string) string {
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	dir := filepath.Dir(self)
	for _, p := range [...]string{
		filepath.Join(dir, "nacre-native"),
		filepath.Join(dir, "..", "libexec", "nacre", "nacre-native"),
		filepath.Join(dir, "..", "..", "libexec", "nacre", "nacre-native"),
	} {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 && st.Mode().Perm()&0o022 == 0 {
			return filepath.Clean(p)
		}
	}
	return ""
}
