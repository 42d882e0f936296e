package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Tool is a kind of client that may be on this machine.
type Tool struct {
	Name    string
	Program func(w *World) string
	Version func(file string) string
	command func(w *World, file string, r *Request) ([]string, error)
	// UserKeys are the names in KeyTypes that it can log in with.
	UserKeys []string
	// NotUser are signature algorithms of those that it does not sign with.
	NotUser []string
	// NoRekey says that it does not survive key exchanges in the middle, or sends
	// data during them, which ours (and OpenSSH since 10.4) does not let pass.
	NoRekey bool
	// Chooses says what a Request may fix about the algorithms.
	Chooses Choices
}

// Choices are the algorithms that a client's command line can fix.
type Choices struct{ Kex, Cipher, MAC, HostKey, UserKey, Rekey bool }

var allChoices = Choices{Kex: true, Cipher: true, MAC: true, HostKey: true, UserKey: true, Rekey: true}

// Request is one run of a client: connect, log in with a key, run a command.
type Request struct {
	Server *Server
	Addr   string // host:port to go to instead of the server's own (a proxy before it)
	Key    string // name in KeyTypes, "ed25519" when empty
	// The algorithms to offer, "" for the client's own choice.
	Kex, Cipher, MAC, HostKeyAlgorithm, UserKeyAlgorithm string
	Rekey                                                string   // RekeyLimit
	Options                                              []string // further -o of those with OpenSSH's options
	Command                                              string
	Group                                                *Group
	Verbose                                              bool // keep the client's own log
	TTY                                                  bool // ask for a terminal
	Password                                             bool // log in with it, and no key
}

func (r *Request) port() string {
	if r.Addr == "" {
		return strconv.Itoa(r.Server.Port)
	}
	return r.Addr[strings.LastIndexByte(r.Addr, ':')+1:]
}

func (r *Request) key() string {
	if r.Key == "" {
		return "ed25519"
	}
	return r.Key
}

// Tools returns the clients that the rig knows.
func Tools() []*Tool {
	return []*Tool{
		{Name: "nacre", Program: ours("ssh"), Version: flagV("-V"), UserKeys: allHostKeys, Chooses: allChoices,
			command: func(w *World, file string, r *Request) ([]string, error) { return openssh(w, []string{file, "ssh"}, r) }},
		{Name: "openssh", Program: installed("ssh"), Version: flagV("-V"), UserKeys: allHostKeys, Chooses: allChoices,
			command: func(w *World, file string, r *Request) ([]string, error) { return openssh(w, []string{file}, r) }},
		{Name: "openssh10", Program: beside("usr/bin/ssh"), Version: flagV("-V"), UserKeys: allHostKeys, Chooses: allChoices,
			command: func(w *World, file string, r *Request) ([]string, error) { return openssh(w, []string{file}, r) }},
		{Name: "xcrypto", Program: source("test/bench/xc"), Version: moduleVersion("golang.org/x/crypto"), UserKeys: allHostKeys,
			Chooses: Choices{Kex: true, Cipher: true, MAC: true, HostKey: true, Rekey: true}, command: xclient},
		{Name: "dropbear", Program: installed("dbclient"), Version: flagV("-V"), UserKeys: []string{"ed25519", "ecdsa256", "rsa3072"},
			NotUser: []string{"rsa-sha2-512"}, Chooses: Choices{Cipher: true, MAC: true}, command: dbclient},
		{Name: "putty", Program: installed("plink"), Version: flagV("-V"), UserKeys: allHostKeys, command: plink},
		// paramiko 2.12 stalls in some key exchanges that it begins while data
		// flows, with OpenSSH's server in one run of five too.
		{Name: "paramiko", Program: pythonWith("paramiko"), Version: dpkgVersion("python3-paramiko"), UserKeys: allHostKeys,
			NoRekey: true, Chooses: Choices{Kex: true, Cipher: true, MAC: true, HostKey: true, Rekey: true}, command: pythonClient("paramiko_peer.py")},
		{Name: "asyncssh", Program: pythonWith("asyncssh"), Version: dpkgVersion("python3-asyncssh"), UserKeys: allHostKeys,
			NoRekey: true, Chooses: Choices{Kex: true, Cipher: true, MAC: true, HostKey: true, UserKey: true, Rekey: true}, command: pythonClient("asyncssh_peer.py")},
	}
}

// ToolByName returns the client of that name.
func ToolByName(name string) *Tool {
	for _, t := range Tools() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

var logNumber atomic.Int64

// openssh writes the command line that OpenSSH's client and ours share.
func openssh(w *World, argv []string, r *Request) ([]string, error) {
	known, err := r.Server.KnownHosts()
	if err != nil {
		return nil, err
	}
	option := func(name, value string) {
		if value != "" {
			argv = append(argv, "-o", name+"="+value)
		}
	}
	argv = append(argv, "-F", "none", "-p", r.port(), "-l", w.User)
	if r.TTY {
		argv = append(argv, "-tt")
	} else {
		argv = append(argv, "-T")
	}
	if r.Password {
		option("PreferredAuthentications", "password")
		option("NumberOfPasswordPrompts", "1")
	} else {
		argv = append(argv, "-i", w.UserKey(r.key()))
		option("BatchMode", "yes")
	}
	for _, o := range r.Options {
		argv = append(argv, "-o", o)
	}
	if r.Verbose {
		argv = append(argv, "-v", "-E", w.Path("client_"+strconv.FormatInt(logNumber.Add(1), 10)+".log"))
	}
	option("UserKnownHostsFile", known)
	option("GlobalKnownHostsFile", "none")
	option("StrictHostKeyChecking", "yes")
	option("HostKeyAlias", "["+r.Server.Host+"]:"+strconv.Itoa(r.Server.Port))
	option("IdentitiesOnly", "yes")
	option("IdentityAgent", "none")
	option("KexAlgorithms", r.Kex)
	option("Ciphers", r.Cipher)
	option("MACs", r.MAC)
	option("HostKeyAlgorithms", r.HostKeyAlgorithm)
	option("PubkeyAcceptedAlgorithms", r.UserKeyAlgorithm)
	option("RekeyLimit", r.Rekey)
	return append(argv, r.Server.Host, r.Command), nil
}

// hostKeyFile picks the public host key of an algorithm, or the server's first.
func (r *Request) hostKeyFile(w *World) string {
	name := r.Server.Daemon.HostKeys[0]
	for _, k := range r.Server.Daemon.HostKeys {
		for _, alg := range HostKeyAlgorithms(k) {
			if alg == r.HostKeyAlgorithm {
				name = k
			}
		}
	}
	return w.HostKey(name) + ".pub"
}

// HostKeyAlgorithms returns the signature algorithms of a kind in KeyTypes.
func HostKeyAlgorithms(name string) []string {
	switch name {
	case "ed25519":
		return []string{"ssh-ed25519"}
	case "ecdsa256":
		return []string{"ecdsa-sha2-nistp256"}
	case "ecdsa384":
		return []string{"ecdsa-sha2-nistp384"}
	case "ecdsa521":
		return []string{"ecdsa-sha2-nistp521"}
	case "rsa3072":
		return []string{"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"}
	}
	return nil
}

func xclient(w *World, file string, r *Request) ([]string, error) {
	argv := []string{file, "client", "-addr", "127.0.0.1:" + r.port(), "-user", w.User, "-key", w.UserKey(r.key()), "-hostkey", r.hostKeyFile(w)}
	add := func(flag, value string) {
		if value != "" {
			argv = append(argv, flag, value)
		}
	}
	alg := r.HostKeyAlgorithm
	if alg == "" { // it takes only the key that it was told of
		alg = HostKeyAlgorithms(r.Server.Daemon.HostKeys[0])[0]
	}
	add("-c", r.Cipher)
	add("-m", r.MAC)
	add("-kex", r.Kex)
	add("-hostkeyalgs", alg)
	if r.Rekey != "" {
		add("-rekey", bytesOf(r.Rekey))
	}
	return append(argv, r.Command), nil
}

// convert runs a program that writes a file, whose name is its last word, and
// puts that in its place at once: tests run side by side.
func convert(file string, argv ...string) error {
	tmp := file + "." + strconv.FormatInt(logNumber.Add(1), 10)
	if out, err := exec.Command(argv[0], append(argv[1:], tmp)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %v: %s", argv[0], err, out)
	}
	return os.Rename(tmp, file)
}

// dbclient reads the account's own known_hosts; a HOME of the rig's holds it.
func dbclient(w *World, file string, r *Request) ([]string, error) {
	key := w.UserKey(r.key()) + ".dropbear"
	if _, err := os.Stat(key); err != nil {
		if err := convert(key, "dropbearconvert", "openssh", "dropbear", w.UserKey(r.key())); err != nil {
			return nil, err
		}
	}
	argv := []string{file, "-T", "-y", "-y", "-i", key, "-l", w.User, "-p", r.port()}
	if r.Cipher != "" {
		argv = append(argv, "-c", r.Cipher)
	}
	if r.MAC != "" {
		argv = append(argv, "-m", r.MAC)
	}
	return append(argv, r.Server.Host, r.Command), nil
}

const plinkSession = `Cipher=aes,chacha20,aesgcm,3des,blowfish,arcfour,des,WARN
KEX=ntru-curve25519,ecdh,dh-gex-sha1,dh-group18-sha512,dh-group17-sha512,dh-group16-sha512,dh-group15-sha512,dh-group14-sha1,rsa,dh-group1-sha1,WARN
HostKey=ed448,ed25519,ecdsa,rsa,dsa,WARN
`

func plink(w *World, file string, r *Request) ([]string, error) {
	key := w.UserKey(r.key()) + ".ppk"
	if _, err := os.Stat(key); err != nil {
		if err := convert(key, "puttygen", w.UserKey(r.key()), "-O", "private", "-o"); err != nil {
			return nil, err
		}
	}
	// A session of defaults but for this: nothing is too weak to be tried.
	sessions := w.Path(".putty", "sessions")
	if err := os.MkdirAll(sessions, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(sessions, "rig"), []byte(plinkSession), 0o644); err != nil {
		return nil, err
	}
	argv := []string{file, "-load", "rig", "-batch", "-ssh", "-T", "-P", r.port(), "-i", key, "-l", w.User}
	for _, k := range r.Server.Daemon.HostKeys {
		out, err := exec.Command("ssh-keygen", "-lf", w.HostKey(k)+".pub").Output()
		if err != nil {
			return nil, err
		}
		argv = append(argv, "-hostkey", strings.Fields(string(out))[1])
	}
	return append(argv, r.Server.Host, r.Command), nil
}

func pythonClient(script string) func(*World, string, *Request) ([]string, error) {
	return func(w *World, file string, r *Request) ([]string, error) {
		argv := []string{file, "-W", "ignore", filepath.Join(w.Tree, "test/interop/py", script), "client", "--port", r.port(),
			"--user", w.User, "--key", w.UserKey(r.key()), "--command", r.Command}
		for _, k := range r.Server.Daemon.HostKeys {
			argv = append(argv, "--hostkey", w.HostKey(k)+".pub")
		}
		for _, o := range []struct{ flag, value string }{
			{"--kex", r.Kex}, {"--cipher", r.Cipher}, {"--mac", r.MAC}, {"--hostkeyalg", r.HostKeyAlgorithm}, {"--userkeyalg", r.UserKeyAlgorithm}, {"--rekey", bytesOf(r.Rekey)},
		} {
			if o.value != "" {
				argv = append(argv, o.flag, o.value)
			}
		}
		return argv, nil
	}
}

// Outcome is how a run of a client ended.
type Outcome struct {
	Stdout, Stderr []byte
	Code           int
	Argv           []string
	Log            string // the client's own log, of a Verbose request
	Wall           time.Duration
}

// Command returns the command line of a request, ready to be started.
func (w *World) Command(t *Tool, r *Request) (*exec.Cmd, error) {
	file := t.Program(w)
	if file == "" {
		return nil, fmt.Errorf("rig: %s: %w", t.Name, ErrNotHere)
	}
	argv, err := t.command(w, file, r)
	if err != nil {
		return nil, fmt.Errorf("rig: %s: %w", t.Name, err)
	}
	cmd := r.Group.command(argv)
	cmd.Dir = w.Dir
	cmd.Env = append(os.Environ(), "HOME="+w.Dir, "SSH_AUTH_SOCK=")
	if r.Password {
		ask := w.Path("askpass")
		if err := os.WriteFile(ask, []byte("#!/bin/sh\necho "+Password+"\n"), 0o755); err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Env, "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force")
	}
	return cmd, nil
}

// Run runs a client to its end. A status other than 0 is no error, but in
// Outcome.Code.
func (w *World) Run(ctx context.Context, t *Tool, r *Request, stdin io.Reader) (*Outcome, error) {
	cmd, err := w.Command(t, r)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	dieWithUs(cmd)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("rig: %s: %w", t.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { killGroup(cmd) })
	err = cmd.Wait()
	stop()
	o := &Outcome{Stdout: out.Bytes(), Stderr: errs.Bytes(), Argv: cmd.Args, Wall: time.Since(start)}
	for i, a := range cmd.Args {
		if a == "-E" && i+1 < len(cmd.Args) && r.Verbose {
			b, _ := os.ReadFile(cmd.Args[i+1])
			o.Log = string(b)
		}
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("rig: %s: %w", t.Name, ctx.Err())
	case errors.As(err, &exit):
		o.Code = exit.ExitCode()
	case err != nil:
		return o, fmt.Errorf("rig: %s: %w", t.Name, err)
	}
	return o, nil
}
