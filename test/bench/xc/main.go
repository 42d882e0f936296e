// Command xc is golang.org/x/crypto/ssh as a client and a server that a shell
// can start: the rival of the measurements and a peer of the interop tests.
//
//	xc server -addr HOST:PORT -hostkey FILE[,FILE...] -authorized FILE [options]
//	xc client -addr HOST:PORT -user NAME -key FILE -hostkey FILE.pub [options] COMMAND
//
// Both do what one would write first with that library, and no more.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: xc server|client options")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "server":
		err = server(os.Args[2:])
	case "client":
		err = client(os.Args[2:])
	default:
		err = fmt.Errorf("no such role: %q", os.Args[1])
	}
	if err == nil {
		return
	}
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitStatus())
	}
	fmt.Fprintln(os.Stderr, "xc:", err)
	os.Exit(255)
}

// options adds the flags that both roles have.
func options(f *flag.FlagSet) func() ssh.Config {
	ciphers := f.String("c", "", "ciphers, comma-separated")
	macs := f.String("m", "", "MACs")
	kexs := f.String("kex", "", "key exchanges")
	rekey := f.Uint64("rekey", 0, "bytes before a new key exchange")
	return func() ssh.Config {
		c := ssh.Config{RekeyThreshold: *rekey}
		// Whatever the library can do may be asked for by name.
		all, old := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
		c.Ciphers = list(*ciphers, append(all.Ciphers, old.Ciphers...))
		c.MACs = list(*macs, append(all.MACs, old.MACs...))
		c.KeyExchanges = list(*kexs, append(all.KeyExchanges, old.KeyExchanges...))
		return c
	}
}

func list(s string, otherwise []string) []string {
	if s == "" {
		return otherwise
	}
	return strings.Split(s, ",")
}

func signer(file string) (ssh.Signer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(b)
}

func server(args []string) error {
	f := flag.NewFlagSet("server", flag.ExitOnError)
	addr := f.String("addr", "127.0.0.1:0", "where to listen")
	hostKeys := f.String("hostkey", "", "private keys, comma-separated")
	authorized := f.String("authorized", "", "authorized_keys")
	config := options(f)
	f.Parse(args)

	b, err := os.ReadFile(*authorized)
	if err != nil {
		return err
	}
	allowed := map[string]bool{}
	for len(b) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(b)
		if err != nil {
			break
		}
		allowed[string(key.Marshal())] = true
		b = rest
	}
	cfg := &ssh.ServerConfig{
		Config: config(),
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !allowed[string(key.Marshal())] {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	for _, file := range strings.Split(*hostKeys, ",") {
		s, err := signer(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		cfg.AddHostKey(s)
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go serve(c, cfg)
	}
}

func serve(c net.Conn, cfg *ssh.ServerConfig) {
	conn, chans, reqs, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "xc:", err)
		c.Close()
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(reqs)
	for n := range chans {
		if n.ChannelType() != "session" {
			n.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		ch, reqs, err := n.Accept()
		if err != nil {
			return
		}
		go session(ch, reqs)
	}
}

func session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.Type != "exec" {
			if r.WantReply {
				r.Reply(r.Type == "env", nil)
			}
			continue
		}
		var p struct{ Command string }
		if err := ssh.Unmarshal(r.Payload, &p); err != nil {
			r.Reply(false, nil)
			continue
		}
		r.Reply(true, nil)
		go func() {
			run(ch, p.Command)
			ch.Close()
		}()
	}
}

func run(ch ssh.Channel, command string) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if err := cmd.Start(); err != nil {
		return
	}
	go func() {
		io.Copy(in, ch)
		in.Close()
	}()
	status := uint32(0)
	if err := cmd.Wait(); err != nil {
		status = uint32(cmd.ProcessState.ExitCode())
	}
	ch.CloseWrite()
	ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

func client(args []string) error {
	f := flag.NewFlagSet("client", flag.ExitOnError)
	addr := f.String("addr", "", "server")
	user := f.String("user", "root", "account")
	key := f.String("key", "", "private key")
	hostKey := f.String("hostkey", "", "the server's public key")
	hostAlgs := f.String("hostkeyalgs", "", "host key algorithms")
	config := options(f)
	f.Parse(args)

	s, err := signer(*key)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(*hostKey)
	if err != nil {
		return err
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		return err
	}
	cfg := &ssh.ClientConfig{
		Config: config(), User: *user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(s)},
		HostKeyCallback: ssh.FixedHostKey(host),
	}
	if *hostAlgs != "" {
		cfg.HostKeyAlgorithms = strings.Split(*hostAlgs, ",")
	}
	c, err := ssh.Dial("tcp", *addr, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	sess, err := c.NewSession()
	if err != nil {
		return err
	}
	// Not sess.Stdin: Run would wait for a standard input that never ends.
	in, err := sess.StdinPipe()
	if err != nil {
		return err
	}
	out, err := sess.StdoutPipe()
	if err != nil {
		return err
	}
	errs, err := sess.StderrPipe()
	if err != nil {
		return err
	}
	if err := sess.Start(strings.Join(f.Args(), " ")); err != nil {
		return err
	}
	go func() {
		io.Copy(in, os.Stdin)
		in.Close()
	}()
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); io.Copy(os.Stdout, out) }()
	go func() { defer wg.Done(); io.Copy(os.Stderr, errs) }()
	wg.Wait()
	return sess.Wait()
}
