//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// lookupTimeout bounds a question to the name service.
const lookupTimeout = 10 * time.Second

// algorithms are the lists behind the keywords of algorithm names.
func algorithms() sshconfig.Algorithms {
	keys := sshconfig.NameList{Default: pubkey.DefaultHostKeyAlgorithms(), Known: pubkey.Query("key-sig")}
	var a sshconfig.Algorithms
	a.Ciphers.Default, a.MACs.Default, a.KexAlgorithms.Default = cipher.DefaultCiphers(), cipher.DefaultMACs(), kex.ServerDefaults()
	for i := range cipher.Ciphers {
		a.Ciphers.Known = append(a.Ciphers.Known, cipher.Ciphers[i].Name)
	}
	for i := range cipher.MACs {
		a.MACs.Known = append(a.MACs.Known, cipher.MACs[i].Name)
	}
	for i := range kex.Methods {
		a.KexAlgorithms.Known = append(a.KexAlgorithms.Known, kex.Methods[i].Name)
	}
	a.HostKeyAlgorithms, a.PubkeyAcceptedAlgorithms, a.HostbasedAcceptedAlgorithms = keys, keys, keys
	a.CASignatureAlgorithms = sshconfig.NameList{Default: pubkey.DefaultCASignatureAlgorithms(), Known: pubkey.Query("sig")}
	return a
}

// context is what the configuration may ask of this machine.
func configContext(db *account.Database, log *sshdlog.Logger) *sshconfig.ServerContext {
	x := &sshconfig.ServerContext{
		Version:    strings.TrimSuffix(version.Compatible, "p1"),
		Algorithms: algorithms(),
		Files:      sshconfig.OSFiles{},
		LookupHome: func(user string) (string, bool) {
			a, err := db.Lookup(user)
			if err != nil {
				return "", false
			}
			return a.Home, true
		},
		LookupPort: func(service string) int {
			n, _ := net.LookupPort("tcp", service)
			return n
		},
		LookupHost: func(host string) ([]netip.Addr, error) {
			ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
			defer cancel()
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		Groups: func(user string) ([]string, bool) {
			a, err := db.Lookup(user)
			if err != nil {
				return nil, false
			}
			return auth.GroupNames(db, a), true
		},
		Warn: func(l sshconfig.Level, text string) {
			v := sshconfig.Debug2
			switch l {
			case sshconfig.LevelError:
				v = sshconfig.Error
			case sshconfig.LevelInfo:
				v = sshconfig.Info
			case sshconfig.LevelDebug:
				v = sshconfig.Debug1
			}
			log.Logf(v, "%s", text)
		},
	}
	x.Directory, _ = os.Getwd()
	if a, err := db.LookupID(uint32(os.Getuid())); err == nil {
		x.Home = a.Home
	}
	return x
}

// load reads the configuration that the command line asks for. The status is
// that of a program that ends because of it.
func load(f *flags, db *account.Database, log *sshdlog.Logger) (cfg *sshconfig.Server, status int) {
	cfg = sshconfig.NewServer(configContext(db, log))
	fail := func(err error) int {
		var ce *sshconfig.ConfigError
		if !errors.As(err, &ce) {
			log.Fatalf("%v", err)
			return 255
		}
		for _, line := range ce.Lines {
			log.Fatalf("%s", line)
		}
		if ce.Status != 0 {
			return ce.Status
		}
		return 255
	}
	set := f.options
	if f.debug > 0 {
		set = append([]string{"LogLevel=DEBUG" + itoa(f.debug)}, set...)
	} else if f.quiet {
		set = append([]string{"LogLevel=QUIET"}, set...)
	}
	for _, o := range set {
		if err := cfg.Set(o); err != nil {
			status := fail(err)
			if strings.Contains(err.Error(), "Bad configuration option") {
				status = 1 // a wrong word is wrong usage, a wrong value is not
			}
			return nil, status
		}
	}
	if len(f.ports) > 0 {
		cfg.SetPorts(f.ports...)
	}
	if err := cfg.Load(sshconfig.ServerFile(f.config)...); err != nil {
		return nil, fail(err)
	}
	return cfg, 0
}

// unsupported lists what a configuration asks for and this server does not do
// yet. What would make it less safe to go on without is refused, the rest is
// told.
func unsupported(cfg *sshconfig.Server) (refuse, tell []string) {
	for _, w := range [...]struct {
		on   bool
		text string
	}{
		{cfg.RDomain != "", "RDomain"},
		{cfg.HostKeyAgent != "", "HostKeyAgent"},
	} {
		if w.on {
			refuse = append(refuse, w.text)
		}
	}
	for _, w := range [...]struct {
		on   bool
		text string
	}{
		{cfg.GSSAPIAuthentication, "GSSAPIAuthentication"},
		{cfg.KerberosAuthentication, "KerberosAuthentication"},
		{cfg.X11Forwarding, "X11Forwarding"},
		{cfg.PermitTunnel != sshconfig.TunnelNo, "PermitTunnel"},
	} {
		if w.on {
			tell = append(tell, w.text)
		}
	}
	return refuse, tell
}
