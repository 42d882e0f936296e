//go:build unix

package kex

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
	xssh "golang.org/x/crypto/ssh"
)

// The tests here speak just enough of the transport protocol to take an
// exchange with a real peer to the first packet under the new keys: the
// signature over our H proves the exchange, that packet proves DeriveKey.

const (
	interopCipher = "aes128-ctr"
	interopMAC    = "hmac-sha2-256"
	interopTime   = 60 * time.Second
)

// line is one end of a connection.
type line struct {
	net.Conn
	r            *bufio.Reader
	enc, dec     cipher.Stream // nil before NEWKEYS
	macOut, macs []byte
	seqOut, seq  uint32
}

func (l *line) write(payload []byte) error {
	block := 8
	if l.enc != nil {
		block = 16
	}
	pad := block - (5+len(payload))%block
	if pad < 4 {
		pad += block
	}
	b := wire.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(append(b, byte(pad)), payload...), make([]byte, pad)...)
	if l.enc != nil {
		tag := mac(l.macOut, l.seqOut, b)
		l.enc.XORKeyStream(b, b)
		b = append(b, tag...)
	}
	l.seqOut++
	_, err := l.Write(b)
	return err
}

func mac(key []byte, seq uint32, b []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(wire.AppendUint32(nil, seq))
	h.Write(b)
	return h.Sum(nil)
}

// read returns the next message that is not IGNORE or DEBUG.
func (l *line) read() ([]byte, error) {
	for {
		first := make([]byte, 16)
		if l.dec == nil {
			first = first[:8]
		}
		if _, err := io.ReadFull(l.r, first); err != nil {
			return nil, err
		}
		if l.dec != nil {
			l.dec.XORKeyStream(first, first)
		}
		n := binary.BigEndian.Uint32(first)
		if n > 35000 || int(n)+4 < len(first) {
			return nil, fmt.Errorf("packet length %d", n)
		}
		rest := make([]byte, int(n)+4-len(first))
		if _, err := io.ReadFull(l.r, rest); err != nil {
			return nil, err
		}
		if l.dec != nil {
			l.dec.XORKeyStream(rest, rest)
		}
		b := append(first, rest...)
		if l.dec != nil {
			tag := make([]byte, sha256.Size)
			if _, err := io.ReadFull(l.r, tag); err != nil {
				return nil, err
			}
			if !hmac.Equal(tag, mac(l.macs, l.seq, b)) {
				return nil, errors.New("MAC is wrong: the keys differ")
			}
		}
		l.seq++
		payload := b[5 : len(b)-int(b[4])]
		switch {
		case len(payload) == 0:
			return nil, errors.New("empty payload")
		case payload[0] == wire.MsgDisconnect:
			var d wire.Disconnect
			d.Decode(payload)
			return nil, fmt.Errorf("peer disconnects: %d %s", d.Reason, d.Description)
		case payload[0] == wire.MsgIgnore, payload[0] == wire.MsgDebug, payload[0] == wire.MsgExtInfo:
			continue
		}
		return payload, nil
	}
}

func (l *line) readID() ([]byte, error) {
	for {
		s, err := l.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(s, "SSH-") {
			return []byte(strings.TrimRight(s, "\r\n")), nil
		}
	}
}

func interopKexInit(m *Method) []byte {
	k := wire.KexInit{
		Kex: []string{m.Name}, HostKey: []string{"ssh-ed25519"},
		CiphersC2S: []string{interopCipher}, CiphersS2C: []string{interopCipher},
		MACsC2S: []string{interopMAC}, MACsS2C: []string{interopMAC},
		CompressionC2S: []string{"none"}, CompressionS2C: []string{"none"},
	}
	return k.Append(nil)
}

// hello exchanges identifications and KEXINITs.
func (l *line) hello(m *Method, client bool) (*Transcript, error) {
	ours, init := []byte("SSH-2.0-nacre_test"), interopKexInit(m)
	sent := make(chan error, 1)
	go func() { // net.Pipe has no buffer: both sides may write first
		_, err := l.Write(append(bytes.Clone(ours), "\r\n"...))
		if err == nil {
			err = l.write(init)
		}
		sent <- err
	}()
	id, err := l.readID()
	if err != nil {
		return nil, err
	}
	theirs, err := l.read()
	if err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	if client {
		return &Transcript{ClientID: ours, ServerID: id, ClientKexInit: init, ServerKexInit: theirs}, nil
	}
	return &Transcript{ClientID: id, ServerID: ours, ClientKexInit: theirs, ServerKexInit: init}, nil
}

// newKeys exchanges NEWKEYS and switches both directions on.
func (l *line) newKeys(m *Method, s *Secret, client bool) error {
	if err := l.write([]byte{wire.MsgNewKeys}); err != nil {
		return err
	}
	p, err := l.read()
	if err != nil {
		return err
	}
	if p[0] != wire.MsgNewKeys {
		return fmt.Errorf("%s instead of NEWKEYS", wire.MessageName(p[0]))
	}
	stream := func(iv, key byte) cipher.Stream {
		b, err := aes.NewCipher(m.DeriveKey(s, key, s.H, 16))
		if err != nil {
			panic(err)
		}
		return cipher.NewCTR(b, m.DeriveKey(s, iv, s.H, 16))
	}
	c2s, s2c := stream('A', 'C'), stream('B', 'D')
	macC2S, macS2C := m.DeriveKey(s, 'E', s.H, 32), m.DeriveKey(s, 'F', s.H, 32)
	if client {
		l.enc, l.dec, l.macOut, l.macs = c2s, s2c, macC2S, macS2C
	} else {
		l.enc, l.dec, l.macOut, l.macs = s2c, c2s, macS2C, macC2S
	}
	return nil
}

// asClient runs our initiator against a server.
func asClient(conn net.Conn, m *Method, o *Options) error {
	conn.SetDeadline(time.Now().Add(interopTime))
	l := &line{Conn: conn, r: bufio.NewReader(conn)}
	t, err := l.hello(m, true)
	if err != nil {
		return err
	}
	c, err := m.NewClient(o)
	if err != nil {
		return err
	}
	send, err := c.Start()
	var res *ClientResult
	for err == nil && res == nil {
		if err = l.write(send); err != nil {
			break
		}
		var p []byte
		if p, err = l.read(); err == nil {
			send, res, err = c.Next(p, t)
		}
	}
	if err != nil {
		return err
	}
	key, sig := wire.NewReader(res.HostKey), wire.NewReader(res.Signature)
	if key.Text() != "ssh-ed25519" || sig.Text() != "ssh-ed25519" {
		return errors.New("not an Ed25519 key")
	}
	if !ed25519.Verify(key.String(), res.H, sig.String()) {
		return errors.New("signature over H does not verify")
	}
	if err := l.newKeys(m, &res.Secret, true); err != nil {
		return err
	}
	if err := l.write(wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth")); err != nil {
		return err
	}
	p, err := l.read()
	if err != nil {
		return err
	}
	if want := wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"); !bytes.Equal(p, want) {
		return fmt.Errorf("%x instead of SERVICE_ACCEPT", p)
	}
	return nil
}

// asServer runs our responder against a client.
func asServer(conn net.Conn, m *Method, o *Options) error {
	conn.SetDeadline(time.Now().Add(interopTime))
	l := &line{Conn: conn, r: bufio.NewReader(conn)}
	t, err := l.hello(m, false)
	if err != nil {
		return err
	}
	s, err := m.NewServer(o)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	hostKey := wire.AppendString(wire.AppendText(nil, "ssh-ed25519"), public)
	var res *ServerResult
	for res == nil {
		p, err := l.read()
		if err != nil {
			return err
		}
		send, r, err := s.Next(p, t, hostKey)
		if err != nil {
			return err
		}
		if res = r; res != nil {
			sig := ed25519.Sign(private, res.H)
			send = res.Reply(wire.AppendString(wire.AppendText(nil, "ssh-ed25519"), sig))
		}
		if err := l.write(send); err != nil {
			return err
		}
	}
	if err := l.newKeys(m, &res.Secret, false); err != nil {
		return err
	}
	p, err := l.read()
	if err != nil {
		return err
	}
	if want := wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"); !bytes.Equal(p, want) {
		return fmt.Errorf("%x instead of SERVICE_REQUEST", p)
	}
	return nil
}

// loopback is a TCP connection to ourselves.
func loopback(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ca, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cb, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close(); cb.Close() })
	return ca.(*net.TCPConn), cb.(*net.TCPConn)
}

// stock returns the path of a program of OpenSSH and the methods it knows.
func stock(t *testing.T, path string) (string, []string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("peer lacks %s", path)
	}
	out, err := exec.Command("ssh", "-Q", "kex").Output()
	if err != nil {
		t.Skipf("peer lacks ssh -Q kex: %v", err)
	}
	return path, strings.Fields(string(out))
}

// output collects what a peer says, for failures.
type output struct{ bytes.Buffer }

// Our initiator against stock sshd, in its inetd mode on a socket of ours.
func TestInteropSshd(t *testing.T) {
	sshd, known := stock(t, "/usr/sbin/sshd")
	dir := t.TempDir()
	config, hostKey := filepath.Join(dir, "sshd_config"), filepath.Join(dir, "host_key")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	var attr *syscall.SysProcAttr
	write := func(path, text string, mode os.FileMode) {
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(hostKey, string(pem.EncodeToMemory(block)), 0o600)
	write(config, "HostKey "+hostKey+"\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel DEBUG1\nKexAlgorithms "+
		strings.Join(slices.DeleteFunc(slices.Clone(known), func(s string) bool { return MethodByName(s) == nil }), ",")+"\nCiphers "+interopCipher+"\nMACs "+interopMAC+"\n", 0o644)
	if os.Getuid() == 0 {
		// As nobody sshd needs no directory of the system's.
		const nobody = 65534
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, p := range []string{filepath.Dir(dir), dir, hostKey} {
			if err := os.Chown(p, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(t *testing.T, m *Method, o *Options) {
		if !slices.Contains(known, m.Name) {
			t.Skipf("peer lacks %s", m.Name)
		}
		ours, theirs := loopback(t)
		f, err := theirs.File()
		if err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		cmd := exec.Command(sshd, "-i", "-e", "-f", config)
		cmd.Stdin, cmd.Stdout, cmd.SysProcAttr = f, f, attr
		var said output
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		err = asClient(ours, m, o)
		ours.Close()
		cmd.Process.Kill()
		cmd.Wait()
		if err != nil {
			t.Errorf("%v\n%s", err, said.String())
		}
	}
	each(t, func(t *testing.T, m *Method) { run(t, m, nil) })
	for _, n := range []int{2048, 4096, 7680, 8192} {
		t.Run(fmt.Sprint("group of ", n), func(t *testing.T) {
			run(t, MethodByName("diffie-hellman-group-exchange-sha256"), &Options{GroupBits: n})
		})
	}
}

// Our responder against the stock client.
func TestInteropSsh(t *testing.T) {
	ssh, known := stock(t, "/usr/bin/ssh")
	var moduli *Moduli
	if b, err := os.ReadFile("/etc/ssh/moduli"); err == nil {
		if moduli, err = ParseModuli(b); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, m *Method, o *Options, flags ...string) {
		if !slices.Contains(known, m.Name) {
			t.Skipf("peer lacks %s", m.Name)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ln.(*net.TCPListener).SetDeadline(time.Now().Add(interopTime))
		args := []string{"-F", "/dev/null", "-T", "-p", fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)}
		for _, o := range []string{"BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
			"GlobalKnownHostsFile=/dev/null", "IdentityFile=none", "LogLevel=DEBUG1", "KexAlgorithms=" + m.Name,
			"Ciphers=" + interopCipher, "MACs=" + interopMAC} {
			args = append(args, "-o", o)
		}
		cmd := exec.Command(ssh, append(append(args, flags...), "nobody@127.0.0.1", "true")...)
		var said output
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err == nil {
			err = asServer(conn, m, o)
			conn.Close()
		}
		cmd.Process.Kill()
		cmd.Wait()
		if err != nil {
			t.Errorf("%v\n%s", err, said.String())
		}
	}
	each(t, func(t *testing.T, m *Method) { run(t, m, nil) })
	if moduli != nil {
		t.Run("moduli", func(t *testing.T) {
			run(t, MethodByName("diffie-hellman-group-exchange-sha256"), &Options{
				Moduli: func(lo, n, hi int) ([]byte, []byte, bool) { return moduli.Pick(lo, n, hi, nil) },
			})
		})
	}
}

// Both roles against x/crypto/ssh, which knows some methods that the stock
// programs of older systems do not.
func TestInteropXCrypto(t *testing.T) {
	known := append(xssh.SupportedAlgorithms().KeyExchanges, xssh.InsecureAlgorithms().KeyExchanges...)
	config := func(m *Method) xssh.Config {
		return xssh.Config{KeyExchanges: []string{m.Name}, Ciphers: []string{interopCipher}, MACs: []string{interopMAC}}
	}
	t.Run("client", func(t *testing.T) {
		each(t, func(t *testing.T, m *Method) {
			if !slices.Contains(known, m.Name) {
				t.Skipf("peer lacks %s", m.Name)
			}
			_, private, _ := ed25519.GenerateKey(rand.Reader)
			signer, err := xssh.NewSignerFromKey(private)
			if err != nil {
				t.Fatal(err)
			}
			c := &xssh.ServerConfig{Config: config(m), NoClientAuth: true}
			c.AddHostKey(signer)
			ours, theirs := loopback(t)
			done := make(chan error, 1)
			go func() {
				_, _, _, err := xssh.NewServerConn(theirs, c)
				done <- err
			}()
			if err := asClient(ours, m, nil); err != nil {
				t.Error(err)
			}
			ours.Close()
			<-done
		})
	})
	t.Run("server", func(t *testing.T) {
		each(t, func(t *testing.T, m *Method) {
			if !slices.Contains(known, m.Name) {
				t.Skipf("peer lacks %s", m.Name)
			}
			ours, theirs := loopback(t)
			done := make(chan error, 1)
			go func() {
				_, _, _, err := xssh.NewClientConn(theirs, "peer", &xssh.ClientConfig{
					Config: config(m), User: "nobody", HostKeyCallback: xssh.InsecureIgnoreHostKey(),
				})
				done <- err
			}()
			if err := asServer(ours, m, nil); err != nil {
				t.Error(err)
			}
			ours.Close()
			<-done
		})
	})
}
