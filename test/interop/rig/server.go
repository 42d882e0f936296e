package rig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Daemon is a kind of server that may be on this machine.
type Daemon struct {
	Name    string
	Program func(w *World) string // "" when it is not here
	Version func(file string) string
	// command returns the words that start it in the foreground on port.
	command func(w *World, file string, port int, o ServerOptions) ([]string, error)
	// inetd servers speak on their standard input and output: the rig
	// accepts for them.
	inetd bool
	// HostKeys and UserKeys are the names in KeyTypes that it can hold, and
	// that it lets in.
	HostKeys, UserKeys []string
	// NotUser are signature algorithms of those user keys that it does not
	// let in with.
	NotUser []string
	NoRekey bool // as in Tool
}

// ServerOptions is what a test may want of a server.
type ServerOptions struct {
	HostKeys []string // names in KeyTypes; nil means all that it can hold
	Rekey    string   // RekeyLimit, "" for its default
	Config   []string // further lines, for those with OpenSSH's configuration
	Defaults bool     // such a server has on what its release has on, not everything
	Group    *Group   // the control group it runs in
}

// Server is one that runs.
type Server struct {
	Daemon  *Daemon
	Version string
	Addr    string
	Port    int
	Host    string // what a client calls it

	world *World
	cmd   *exec.Cmd
	ln    net.Listener // inetd
	log   *os.File
	wg    sync.WaitGroup
	once  sync.Once
}

var allHostKeys = []string{"ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"}

// Daemons returns the servers that the rig knows.
func Daemons() []*Daemon {
	return []*Daemon{
		{Name: "nacre", Program: ours("sshd"), Version: flagV("-V"), HostKeys: allHostKeys, UserKeys: allHostKeys,
			command: func(w *World, file string, port int, o ServerOptions) ([]string, error) {
				conf, err := w.sshdConfig("nacre", port, o, everything(file, "ssh")...)
				return []string{file, "sshd", "-D", "-e", "-f", conf}, err
			}},
		{Name: "openssh", Program: installed("sshd"), Version: sshBeside, HostKeys: allHostKeys, UserKeys: allHostKeys, command: opensshd},
		{Name: "openssh10", Program: beside("usr/sbin/sshd"), Version: sshBeside, HostKeys: allHostKeys, UserKeys: allHostKeys, command: opensshd},
		{Name: "xcrypto", Program: source("test/bench/xc"), Version: moduleVersion("golang.org/x/crypto"), HostKeys: allHostKeys, UserKeys: allHostKeys,
			command: func(w *World, file string, port int, o ServerOptions) ([]string, error) {
				var keys []string
				for _, k := range o.HostKeys {
					keys = append(keys, w.HostKey(k))
				}
				argv := []string{file, "server", "-addr", "127.0.0.1:" + strconv.Itoa(port), "-hostkey", strings.Join(keys, ","), "-authorized", w.AuthorizedKeys()}
				if o.Rekey != "" {
					argv = append(argv, "-rekey", bytesOf(o.Rekey))
				}
				return argv, nil
			}},
		{Name: "dropbear", Program: installed("dropbear"), Version: flagV("-V"), HostKeys: []string{"ed25519", "ecdsa256", "rsa3072"}, UserKeys: allHostKeys,
			NotUser: []string{"rsa-sha2-512"}, command: dropbear},
		{Name: "tinysshd", Program: installed("tinysshd"), Version: dpkgVersion("tinysshd"), HostKeys: []string{"ed25519"}, UserKeys: []string{"ed25519"}, inetd: true, command: tinysshd},
		{Name: "paramiko", Program: pythonWith("paramiko"), Version: dpkgVersion("python3-paramiko"), HostKeys: allHostKeys, UserKeys: allHostKeys,
			NotUser: []string{"rsa-sha2-512", "rsa-sha2-256"}, command: pythonServer("paramiko_peer.py")},
		{Name: "asyncssh", Program: pythonWith("asyncssh"), Version: dpkgVersion("python3-asyncssh"), HostKeys: allHostKeys, UserKeys: allHostKeys,
			NoRekey: true, command: pythonServer("asyncssh_peer.py")},
	}
}

// DaemonByName returns the server of that name.
func DaemonByName(name string) *Daemon {
	for _, d := range Daemons() {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// ours is build/nacre, once it has the program named.
func ours(program string) func(*World) string {
	return func(w *World) string {
		file := exists(filepath.Join(w.Tree, "build/nacre"))
		if file == "" {
			return ""
		}
		out, err := exec.Command(file, "--links").Output()
		if err != nil || !slices.Contains(strings.Fields(string(out)), program) {
			return ""
		}
		return file
	}
}

func beside(path string) func(*World) string {
	return func(w *World) string { return exists(filepath.Join(w.Tree, "build/peers/openssh-10", path)) }
}

func installed(name string) func(*World) string {
	return func(*World) string {
		for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
			if f := exists(filepath.Join(dir, name)); f != "" {
				return f
			}
		}
		return ""
	}
}

func source(path string) func(*World) string {
	return func(w *World) string {
		f, err := w.Build(path)
		if err != nil {
			return ""
		}
		return f
	}
}

func pythonWith(module string) func(*World) string {
	return func(*World) string {
		// Debian's own interpreter: that is where its packages are.
		if exec.Command("/usr/bin/python3", "-c", "import "+module).Run() != nil {
			return ""
		}
		return "/usr/bin/python3"
	}
}

func exists(file string) string {
	if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
		return file
	}
	return ""
}

func flagV(flag string) func(string) string {
	return func(file string) string { return Version(file, flag) }
}

// sshBeside asks the client that came with a server: sshd 9.2 has no -V.
func sshBeside(file string) string {
	return Version(filepath.Join(filepath.Dir(filepath.Dir(file)), "bin", "ssh"), "-V")
}

func dpkgVersion(name string) func(string) string {
	return func(string) string {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Package} ${Version}", name).Output()
		if err != nil {
			return name
		}
		return string(out)
	}
}

func moduleVersion(path string) func(string) string {
	return func(string) string {
		out, err := exec.Command("go", "list", "-m", path).Output()
		if err != nil {
			return path
		}
		return strings.TrimSpace(string(out))
	}
}

// bytesOf turns OpenSSH's 16K, 1M, 1G into a number.
func bytesOf(s string) string {
	for i, unit := range []string{"K", "M", "G"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			v, _ := strconv.Atoi(n)
			return strconv.Itoa(v << (10 * (i + 1)))
		}
	}
	return s
}

// sshdConfig writes a configuration in which everything is allowed that file
// (an sshd, or ours) can do, and returns its path.
func (w *World) sshdConfig(name string, port int, o ServerOptions, more ...string) (string, error) {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, l := range o.Config { // first value given wins
		line("%s", l)
	}
	line("ListenAddress 127.0.0.1")
	line("Port %d", port)
	for _, k := range o.HostKeys {
		line("HostKey %s", w.HostKey(k))
	}
	line("AuthorizedKeysFile %s", w.AuthorizedKeys())
	line("PidFile none")
	line("UsePAM no")
	line("StrictModes no")
	line("PermitRootLogin yes")
	line("PasswordAuthentication yes")
	line("PrintMotd no")
	line("PrintLastLog no")
	line("UseDNS no")
	line("MaxStartups 20000")
	line("LogLevel VERBOSE")
	line("X11Forwarding no")
	if o.Rekey != "" {
		line("RekeyLimit %s", o.Rekey)
	}
	for _, l := range more {
		if o.Defaults && !strings.HasPrefix(l, "Sshd") {
			continue
		}
		line("%s", l)
	}
	file := w.Path("sshd_config_" + name + "_" + strconv.Itoa(port))
	return file, os.WriteFile(file, b.Bytes(), 0o644)
}

// everything is the configuration that turns on whatever `ssh -Q` lists.
func everything(ssh ...string) []string {
	var out []string
	for _, o := range []struct{ keyword, kind string }{
		{"Ciphers", "cipher"}, {"MACs", "mac"}, {"KexAlgorithms", "kex"},
		{"HostKeyAlgorithms", "HostKeyAlgorithms"}, {"PubkeyAcceptedAlgorithms", "PubkeyAcceptedAlgorithms"},
	} {
		if list := Query(o.kind, ssh...); len(list) > 0 {
			out = append(out, o.keyword+" "+strings.Join(list, ","))
		}
	}
	return out
}

// opensshd starts OpenSSH's server with every algorithm it has turned on.
func opensshd(w *World, file string, port int, o ServerOptions) ([]string, error) {
	root := filepath.Dir(filepath.Dir(filepath.Dir(file))) // of usr/sbin/sshd
	ssh := filepath.Join(root, "usr/bin/ssh")
	more := everything(ssh)
	if session := filepath.Join(root, "usr/lib/openssh/sshd-session"); root != "/" && exists(session) != "" {
		more = append(more, "SshdSessionPath "+session)
		if auth := filepath.Join(root, "usr/lib/openssh/sshd-auth"); exists(auth) != "" {
			more = append(more, "SshdAuthPath "+auth)
		}
	}
	if os.Geteuid() == 0 {
		// The privilege separation folder that a boot would have made.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	conf, err := w.sshdConfig("openssh", port, o, more...)
	return []string{file, "-D", "-e", "-f", conf}, err
}

func dropbear(w *World, file string, port int, o ServerOptions) ([]string, error) {
	argv := []string{file, "-F", "-E", "-p", "127.0.0.1:" + strconv.Itoa(port), "-P", w.Path("dropbear.pid")}
	for _, k := range o.HostKeys {
		key := w.HostKey(k) + ".dropbear"
		if _, err := os.Stat(key); err != nil {
			if err := convert(key, "dropbearconvert", "openssh", "dropbear", w.HostKey(k)); err != nil {
				return nil, err
			}
		}
		argv = append(argv, "-r", key)
	}
	return argv, nil
}

// tinysshd wants its keys in a folder, raw: .ed25519.pk with 32 bytes of public
// key, .ed25519.sk with seed and public key.
func tinysshd(w *World, file string, port int, o ServerOptions) ([]string, error) {
	dir := w.Path("tinyssh")
	if _, err := os.Stat(dir); err != nil {
		seed, pub, err := ed25519Key(w.HostKey("ed25519"))
		if err != nil {
			return nil, err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "ed25519.pk"), pub, 0o644); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, ".ed25519.sk"), append(seed, pub...), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{file, "-v", dir}, nil
}

func pythonServer(script string) func(*World, string, int, ServerOptions) ([]string, error) {
	return func(w *World, file string, port int, o ServerOptions) ([]string, error) {
		argv := []string{file, "-W", "ignore", filepath.Join(w.Tree, "test/interop/py", script), "server", "--port", strconv.Itoa(port), "--authorized", w.AuthorizedKeys()}
		for _, k := range o.HostKeys {
			argv = append(argv, "--hostkey", w.HostKey(k))
		}
		return argv, nil
	}
}

// ErrNotHere is returned for a peer that this machine does not have.
var ErrNotHere = errors.New("not on this machine; `make peers` installs it")

// Start starts the server and waits until it accepts.
func (w *World) Start(d *Daemon, o ServerOptions) (*Server, error) {
	file := d.Program(w)
	if file == "" {
		return nil, fmt.Errorf("rig: %s: %w", d.Name, ErrNotHere)
	}
	if o.HostKeys == nil {
		o.HostKeys = d.HostKeys
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	argv, err := d.command(w, file, port, o)
	if err != nil {
		return nil, fmt.Errorf("rig: %s: %w", d.Name, err)
	}
	s := &Server{Daemon: d, Version: d.Version(file), Host: "127.0.0.1", Port: port, Addr: "127.0.0.1:" + strconv.Itoa(port), world: w}
	if s.log, err = os.Create(w.Path(d.Name + "_" + strconv.Itoa(port) + ".log")); err != nil {
		return nil, err
	}
	if d.inetd {
		return s, s.acceptFor(argv, o)
	}
	s.cmd = o.Group.command(argv)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.Dir = w.Dir
	dieWithUs(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("rig: %s: %w", d.Name, err)
	}
	died := make(chan error, 1)
	s.wg.Add(1)
	go func() { defer s.wg.Done(); died <- s.cmd.Wait() }()
	// A server does not say when it listens in a way all of them share: ask.
	for range 200 {
		c, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err == nil {
			c.Close()
			return s, nil
		}
		select {
		case err := <-died:
			return nil, fmt.Errorf("rig: %s ended at once: %v\n%s", d.Name, err, s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.Stop()
	return nil, fmt.Errorf("rig: %s does not listen\n%s", d.Name, s.Log())
}

// acceptFor accepts for a server that speaks on standard input and output.
func (s *Server) acceptFor(argv []string, o ServerOptions) error {
	ln, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return err
	}
	s.ln = ln
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			c.Close()
			if err != nil {
				continue
			}
			cmd := o.Group.command(argv)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, s.log
			dieWithUs(cmd)
			err = cmd.Start()
			f.Close()
			if err != nil {
				fmt.Fprintln(s.log, err)
				continue
			}
			s.wg.Add(1)
			go func() { defer s.wg.Done(); cmd.Wait() }()
		}
	}()
	return nil
}

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	s.once.Do(func() {
		if s.ln != nil {
			s.ln.Close()
		}
		if s.cmd != nil {
			stopGroup(s.cmd)
			late := time.AfterFunc(5*time.Second, func() { killGroup(s.cmd) })
			defer late.Stop()
		}
		s.wg.Wait()
		s.log.Close()
	})
}

// Log returns what the server wrote so far.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.log.Name())
	return string(b)
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// KnownHosts writes a file in which every host key is the server's, whatever
// it is called by, and returns its path.
func (s *Server) KnownHosts() (string, error) {
	file := s.world.Path("known_hosts_" + strconv.Itoa(s.Port))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	var b bytes.Buffer
	for _, k := range s.Daemon.HostKeys {
		pub, err := os.ReadFile(s.world.HostKey(k) + ".pub")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "[%s]:%d,%s ", s.Host, s.Port, "[localhost]:"+strconv.Itoa(s.Port))
		io.Copy(&b, bytes.NewReader(pub))
	}
	return file, os.WriteFile(file, b.Bytes(), 0o644)
}
