package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Messages of a control socket: the protocol between a master, who owns a
// connection, and the processes that share it. Every message is a length and a
// body that begins with its type.
const (
	muxHello         = 0x00000001
	muxNewSession    = 0x10000002
	muxAliveCheck    = 0x10000004
	muxTerminate     = 0x10000005
	muxOpenForward   = 0x10000006
	muxCloseForward  = 0x10000007
	muxStdioForward  = 0x10000008
	muxStopListening = 0x10000009
	muxProxy         = 0x1000000f
	muxInfo          = 0x20000001

	muxOK            = 0x80000001
	muxDenied        = 0x80000002
	muxFailure       = 0x80000003
	muxExit          = 0x80000004
	muxAlive         = 0x80000005
	muxSessionOpened = 0x80000006
	muxRemotePort    = 0x80000007
	muxNoTTY         = 0x80000008
	muxProxyOK       = 0x8000000f
	muxInfoText      = 0x90000001
)

const (
	muxVersion = 4
	// MaxControlMessage bounds one message.
	MaxControlMessage = 256 << 10
	// MaxControlEnv bounds the variables of one session.
	MaxControlEnv = 4096
	// MaxSocketPath is the longest path of a socket, its end included.
	MaxSocketPath = 108
	// ControlTimeout is how long a master may take to show that it is awake, and
	// to have a session opened.
	ControlTimeout = 5 * time.Second

	muxSocketPort = 0xfffffffe // a path stands in place of a host
	muxNoEscape   = 0xffffffff
	extInfo       = "info"
)

var errControl = errors.New("client: malformed message on the control socket")

// readControl reads one message and not a byte more: descriptors may follow.
func readControl(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 4 || n > MaxControlMessage {
		return nil, fmt.Errorf("%w: length %d", errControl, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b, nil
}

// framed puts the length before a body.
func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
}

func u32s(v ...uint32) []byte {
	var b []byte
	for _, n := range v {
		b = wire.AppendUint32(b, n)
	}
	return b
}

// hello is ours; a master says what it knows beyond the version.
func muxHelloMessage(extensions ...string) []byte {
	b := u32s(muxHello, muxVersion)
	for _, e := range extensions {
		b = wire.AppendText(wire.AppendText(b, e), "0")
	}
	return b
}

// parseHello reads a hello and returns the names of the extensions.
func parseHello(b []byte) (extensions []string, err error) {
	r := wire.NewReader(b)
	if t, v := r.Uint32(), r.Uint32(); r.Err() == nil && (t != muxHello || v != muxVersion) {
		return nil, fmt.Errorf("%w: hello of type %#x, version %d", errControl, t, v)
	}
	for r.Err() == nil && r.Len() > 0 {
		name := r.Text()
		r.String()
		if len(extensions) < 64 {
			extensions = append(extensions, name)
		}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", errControl, err)
	}
	return extensions, nil
}

// muxSession is the request for a session.
type muxSession struct {
	tty, x11, agent, subsystem bool
	escape                     uint32
	term, command              string
	env                        []string
}

func flag32(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

func (s *muxSession) append(b []byte) []byte {
	b = wire.AppendText(b, "")
	b = append(b, u32s(flag32(s.tty), flag32(s.x11), flag32(s.agent), flag32(s.subsystem), s.escape)...)
	b = wire.AppendText(wire.AppendText(b, s.term), s.command)
	for _, e := range s.env {
		b = wire.AppendText(b, e)
	}
	return b
}

func parseMuxSession(b []byte) (s muxSession, err error) {
	r := wire.NewReader(b)
	r.String()
	s.tty, s.x11, s.agent, s.subsystem = r.Uint32() != 0, r.Uint32() != 0, r.Uint32() != 0, r.Uint32() != 0
	s.escape = r.Uint32()
	s.term, s.command = r.Text(), r.Text()
	for r.Err() == nil && r.Len() > 0 {
		if e := r.Text(); len(s.env) < MaxControlEnv {
			s.env = append(s.env, e)
		}
	}
	if err := r.Done(); err != nil || strings.ContainsRune(s.command+s.term, 0) {
		return s, fmt.Errorf("%w: session: %v", errControl, err)
	}
	return s, nil
}

// muxWays are the numbers of a forward's kinds.
var muxWays = [...]ForwardWay{1: ForwardLocal, 2: ForwardRemote, 3: ForwardDynamic}

// appendMuxForward writes a forward as stock clients do.
func appendMuxForward(b []byte, way ForwardWay, f *sshconfig.Forward) []byte {
	host, port := f.ListenHost, uint32(f.ListenPort)
	if f.ListenAny {
		host = "*"
	}
	if f.ListenPath != "" {
		host, port = f.ListenPath, muxSocketPort
	}
	to, toPort := f.ConnectHost, uint32(f.ConnectPort)
	switch {
	case f.Dynamic:
		to, toPort = "socks", 0
	case f.ConnectPath != "":
		to, toPort = f.ConnectPath, muxSocketPort
	}
	b = wire.AppendUint32(b, uint32(way))
	b = wire.AppendUint32(wire.AppendText(b, host), port)
	return wire.AppendUint32(wire.AppendText(b, to), toPort)
}

// errMuxForward is a forward that is answered with a refusal; what is malformed
// ends the control connection.
var errMuxForward = errors.New("Invalid forwarding request")

func parseMuxForward(b []byte) (way ForwardWay, f sshconfig.Forward, err error) {
	r := wire.NewReader(b)
	kind := r.Uint32()
	host, port := r.Text(), r.Uint32()
	to, toPort := r.Text(), r.Uint32()
	if err := r.Done(); err != nil {
		return 0, f, fmt.Errorf("%w: forward: %w", errControl, err)
	}
	for _, p := range [...]uint32{port, toPort} {
		if p > 65535 && p != muxSocketPort {
			return 0, f, fmt.Errorf("%w: port %d", errControl, p)
		}
	}
	if kind < 1 || kind > 3 || len(host) > 1024 || len(to) > 1024 {
		return 0, f, errMuxForward
	}
	way = muxWays[kind]
	if port == muxSocketPort {
		f.ListenPath = host
	} else {
		f.ListenHost, f.ListenPort = host, int(port)
	}
	switch {
	case way == ForwardDynamic, way == ForwardRemote && to == "socks" && toPort == 0:
		f.Dynamic = true
	case toPort == muxSocketPort:
		f.ConnectPath = to
	default:
		f.ConnectHost, f.ConnectPort = to, int(toPort)
	}
	switch {
	case f.ListenPath == "" && f.ListenPort == 0 && way != ForwardRemote,
		to == "" && way != ForwardDynamic,
		!f.Dynamic && f.ConnectPath == "" && f.ConnectPort == 0:
		return 0, f, errMuxForward
	}
	return way, f, nil
}

// dialControl connects to a control socket.
func dialControl(path string) (*net.UnixConn, error) {
	c, err := net.DialTimeout("unix", path, ControlTimeout)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// sameForward compares two forwards, however "all addresses" was said.
func sameForward(a, b sshconfig.Forward) bool {
	for _, f := range [...]*sshconfig.Forward{&a, &b} {
		if f.ListenAny {
			f.ListenHost, f.ListenAny = "*", false
		}
	}
	return a == b
}
