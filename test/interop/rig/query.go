package rig

import (
	"bufio"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Query asks an ssh, started by the words ssh, for one of its lists: ssh -Q kind.
func Query(kind string, ssh ...string) []string {
	out, err := exec.Command(ssh[0], append(ssh[1:], "-Q", kind)...).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// Offer returns the KEXINIT that a running server greets with.
func (s *Server) Offer() (*wire.KexInit, error) {
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return offer(c)
}

// Offer returns the KEXINIT that a client greets a server with that has every
// kind of key.
func (w *World) Offer(t *Tool) (*wire.KexInit, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	r := &Request{Server: &Server{Daemon: DaemonByName("openssh"), Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, world: w}, Command: "true"}
	switch t.Name {
	case "asyncssh": // what is off by default, too
		r.Kex, r.Cipher, r.MAC = "*", "*", "*"
	case "xcrypto": // it offers what fits the key that it was told of
		var all []string
		for _, k := range KeyTypes {
			all = append(all, HostKeyAlgorithms(k.Name)...)
		}
		r.HostKeyAlgorithm = strings.Join(all, ",")
	}
	cmd, err := w.Command(t, r)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer cmd.Wait()
	ln.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	c, err := ln.Accept()
	if err != nil {
		cmd.Process.Kill()
		return nil, err
	}
	defer c.Close()
	return offer(c)
}

// offer speaks as far as the other side's first packet.
func offer(c net.Conn) (*wire.KexInit, error) {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "SSH-2.0-rig\r\n"); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(line, "SSH-") {
			break
		}
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length, padding := int(binary.BigEndian.Uint32(head)), int(head[4])
	if length > wire.MaxPacket || padding >= length {
		return nil, fmt.Errorf("rig: first packet has length %d, padding %d", length, padding)
	}
	payload := make([]byte, length-1)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, err
	}
	var k wire.KexInit
	return &k, k.Decode(payload[:len(payload)-padding])
}

// ed25519Key reads a private key file that ssh-keygen made.
func ed25519Key(file string) (seed, pub []byte, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	k, err := ssh.ParseRawPrivateKey(b)
	if err != nil {
		return nil, nil, err
	}
	ed, ok := k.(*ed25519.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s is no Ed25519 key", file)
	}
	return ed.Seed(), ed.Public().(ed25519.PublicKey), nil
}
