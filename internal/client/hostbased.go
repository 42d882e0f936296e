package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
)

// Keysign is the way to the helper that signs with this machine's host keys,
// ssh-keysign(8): it is set-user-id and looks at what it signs.
type Keysign struct {
	Program string   // its path; "" is the first of the usual places
	Dir     string   // where the public halves are; "" is /etc/ssh
	Conn    net.Conn // the connection, whose own address the helper looks at
	Log     *Logger
}

// keysignPlaces are where the helper is looked for.
var keysignPlaces = [...]string{"/usr/local/libexec/nacre/ssh-keysign", "/usr/libexec/nacre/ssh-keysign", "/usr/lib/openssh/ssh-keysign",
	"/usr/libexec/openssh/ssh-keysign", "/usr/lib/ssh/ssh-keysign", "/usr/libexec/ssh-keysign"}

// hostKeyNames are the host keys that are offered, certificates first.
var hostKeyNames = [...]string{"ecdsa", "ed25519", "rsa", "mldsa44_ed25519"}

const (
	keysignVersion = 2
	keysignSocket  = 3         // the number the helper has the connection under
	maxKeysign     = 256 << 10 // bytes of an answer
)

// hostbased is hostbased authentication, nil where there is no host key to
// offer or no helper.
func (l *Login) hostbased() ssh.AuthMethod {
	k := l.Keysign
	if k == nil {
		return nil
	}
	m := &ssh.AuthHostbased{Algorithms: l.Conf.HostbasedAcceptedAlgorithms, ClientHost: localName(k.Conn), ClientUser: l.Conf.LocalUser()}
	l.Log.Debug1("userauth_hostbased: chost %s", m.ClientHost)
	for _, key := range k.keys(m.Algorithms) {
		m.Keys = append(m.Keys, &keysigner{k, key})
	}
	if len(m.Keys) == 0 {
		l.Log.Debug1("No more client hostkeys for hostbased authentication.")
		return nil
	}
	return m
}

// keys are the public host keys in the order of algorithms, which say what is
// allowed.
func (k *Keysign) keys(algorithms []string) (keys []ssh.PublicKey) {
	dir := k.Dir
	if dir == "" {
		dir = "/etc/ssh"
	}
	var all []ssh.PublicKey
	for _, end := range [...]string{"-cert.pub", ".pub"} {
		for _, name := range hostKeyNames {
			data, err := readSmall(filepath.Join(dir, "ssh_host_"+name+"_key"+end))
			if err != nil {
				continue
			}
			if key, _, err := keyfile.ParsePublicKeyFile(data); err == nil {
				all = append(all, key)
			}
		}
	}
	for _, name := range algorithms {
		a := pubkey.AlgorithmByName(name)
		for _, key := range all {
			if a != nil && a.KeyType == key.Type() && !containsExact(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func containsExact(list []ssh.PublicKey, key ssh.PublicKey) bool {
	for _, k := range list {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// localName is the name of this end of a connection.
func localName(c net.Conn) string {
	if c != nil {
		if a := address(c.LocalAddr()); a.IsValid() {
			if names, err := net.LookupAddr(a.WithZone("").String()); err == nil && len(names) > 0 {
				return strings.TrimSuffix(names[0], ".")
			}
		}
	}
	name, _ := os.Hostname()
	return name
}

// keysigner signs with one host key.
type keysigner struct {
	*Keysign
	key ssh.PublicKey
}

func (s *keysigner) PublicKey() ssh.PublicKey { return s.key }

func (s *keysigner) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

// SignWithAlgorithm has the helper sign data: what it signs with, it reads in
// data.
func (s *keysigner) SignWithAlgorithm(_ io.Reader, data []byte, _ string) (*ssh.Signature, error) {
	answer, err := s.ask(data)
	if err != nil {
		s.Log.Error("%s", err)
		s.Log.Error("sign using hostkey %s %s failed", s.key.Type(), ssh.FingerprintSHA256(s.key))
		return nil, err
	}
	return pubkey.ParseSignature(answer)
}

var errKeysign = errors.New("ssh_keysign: no reply")

func (k *Keysign) ask(data []byte) ([]byte, error) {
	program := k.Program
	for _, p := range keysignPlaces {
		if program == "" && exists(p) {
			program = p
		}
	}
	if program == "" {
		return nil, errors.New("ssh_keysign: not installed: No such file or directory")
	}
	if _, err := os.Stat(program); err != nil {
		return nil, errors.New("ssh_keysign: not installed: " + Strerror(err))
	}
	cmd := exec.CommandContext(context.Background(), program)
	cmd.Stderr = os.Stderr
	f, restore, err := connFile(k.Conn)
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{f} // becomes keysignSocket
	body := wire.AppendString(binary.BigEndian.AppendUint32([]byte{keysignVersion}, keysignSocket), data)
	cmd.Stdin = bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	f.Close()
	restore()
	if err != nil {
		return nil, errors.New("ssh_keysign: " + Strerror(err))
	}
	reply, _ := io.ReadAll(io.LimitReader(out, maxKeysign))
	if err := cmd.Wait(); err != nil {
		return nil, errKeysign
	}
	r := wire.NewReader(reply)
	r = wire.NewReader(r.String())
	version, sig := r.Byte(), r.String()
	if r.Done() != nil || version != keysignVersion {
		return nil, errKeysign
	}
	return sig, nil
}

// connFile is another descriptor of a connection, to be handed to a program.
// restore puts right what handing it over changed.
func connFile(c net.Conn) (f *os.File, restore func(), err error) {
	type filer interface{ File() (*os.File, error) }
	if t, ok := c.(filer); ok {
		if f, err = t.File(); err != nil {
			return nil, nil, err
		}
		return f, func() { setNonblock(c) }, nil
	}
	f, err = os.Open(os.DevNull) // no socket: the helper uses the machine's name
	return f, func() {}, err
}
