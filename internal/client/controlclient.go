package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/fdpass"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Control is our end of a control socket: requests to a master, one after the
// other.
type Control struct {
	c    *net.UnixConn
	next uint32
	info bool // the master answers conninfo and channels
	pid  int
}

// ErrWedged is a master that does not answer in time.
var ErrWedged = errors.New("client: the master does not answer")

// RefusedError is what a master would not do.
type RefusedError struct {
	Denied bool // by the person who was asked
	Reason string
}

func (e *RefusedError) Error() string { return e.Reason }

// OpenControl connects to the master at path and waits for its hello, no
// longer than wait.
func OpenControl(path string, wait time.Duration) (*Control, error) {
	if len(path) >= MaxSocketPath {
		return nil, fmt.Errorf("ControlPath too long ('%s' >= %d bytes)", path, MaxSocketPath)
	}
	conn, err := dialControl(path)
	if err != nil {
		return nil, err
	}
	c := &Control{c: conn}
	if wait > 0 {
		conn.SetDeadline(time.Now().Add(wait))
	}
	_, err = conn.Write(framed(muxHelloMessage()))
	var b []byte
	if err == nil {
		b, err = readControl(conn)
	}
	var extensions []string
	if err == nil {
		extensions, err = parseHello(b)
	}
	conn.SetDeadline(time.Time{})
	if err != nil {
		conn.Close()
		return nil, wedged(err)
	}
	c.info = slices.Contains(extensions, extInfo)
	return c, nil
}

func wedged(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrWedged
	}
	return err
}

// Close ends the connection.
func (c *Control) Close() { c.c.Close() }

// call makes a request and returns the type of the answer and what follows the
// request's number.
func (c *Control) call(kind uint32, body []byte, fds ...int) (uint32, []byte, error) {
	id := c.next
	c.next++
	if _, err := c.c.Write(framed(append(u32s(kind, id), body...))); err != nil {
		return 0, nil, err
	}
	for _, fd := range fds {
		if err := fdpass.Send(c.c, fd); err != nil {
			return 0, nil, fmt.Errorf("send fds failed: %w", err)
		}
	}
	b, err := readControl(c.c)
	if err != nil {
		return 0, nil, wedged(err)
	}
	if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) != id {
		return 0, nil, fmt.Errorf("%w: out of sequence reply", errControl)
	}
	t, rest := binary.BigEndian.Uint32(b), b[8:]
	if t == muxDenied || t == muxFailure {
		r := wire.NewReader(rest)
		return 0, nil, &RefusedError{t == muxDenied, r.Text()}
	}
	return t, rest, nil
}

// Limit bounds the requests from now on, 0 for no bound.
func (c *Control) Limit(d time.Duration) {
	if d == 0 {
		c.c.SetDeadline(time.Time{})
		return
	}
	c.c.SetDeadline(time.Now().Add(d))
}

func expect(t, want uint32) error {
	if t != want {
		return fmt.Errorf("%w: reply of type %#x", errControl, t)
	}
	return nil
}

// Alive asks for the master's process.
func (c *Control) Alive() (pid int, err error) {
	t, b, err := c.call(muxAliveCheck, nil)
	if err == nil {
		err = expect(t, muxAlive)
	}
	r := wire.NewReader(b)
	n := r.Uint32()
	if err == nil {
		err = r.Done()
	}
	if err != nil {
		return 0, err
	}
	c.pid = int(n)
	return c.pid, nil
}

// Terminate has the master end. Its answer may be lost with it.
func (c *Control) Terminate() error {
	t, _, err := c.call(muxTerminate, nil)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return expect(t, muxOK)
}

// StopListening has the master take nobody else.
func (c *Control) StopListening() error {
	t, _, err := c.call(muxStopListening, nil)
	if err != nil {
		return err
	}
	return expect(t, muxOK)
}

// ErrNoInfo is a master that knows no such request.
var ErrNoInfo = errors.New("master does not support information requests")

// Info asks for text about the "connection" or its "channels".
func (c *Control) Info(what string) (string, error) {
	if !c.info {
		return "", ErrNoInfo
	}
	t, b, err := c.call(muxInfo, wire.AppendText(nil, what))
	if err == nil {
		err = expect(t, muxInfoText)
	}
	if err != nil {
		return "", err
	}
	r := wire.NewReader(b)
	status, text := r.Uint32(), r.Text()
	if err := r.Done(); err != nil {
		return "", err
	}
	if status != 1 {
		return "", errors.New(text)
	}
	return text, nil
}

// Forward has the master set up a forward, or take one down. port is the one
// that the server chose, 0 if it did not.
func (c *Control) Forward(cancel bool, way ForwardWay, f *sshconfig.Forward) (port int, err error) {
	kind := uint32(muxOpenForward)
	if cancel {
		kind = muxCloseForward
	}
	t, b, err := c.call(kind, appendMuxForward(nil, way, f))
	if err != nil {
		return 0, err
	}
	if t == muxRemotePort {
		r := wire.NewReader(b)
		port = int(r.Uint32())
		return port, r.Done()
	}
	return 0, expect(t, muxOK)
}

// ControlSession is a session to ask a master for.
type ControlSession struct {
	TTY, Subsystem bool
	Escape         int // -1: none
	Term, Command  string
	Env            []string
}

// Session opens a session over the given descriptors. Events tells of it from
// then on.
func (c *Control) Session(s ControlSession, in, out, errs int) (number uint32, err error) {
	m := muxSession{tty: s.TTY, subsystem: s.Subsystem, escape: muxNoEscape, term: s.Term, command: s.Command, env: s.Env}
	if s.Escape >= 0 {
		m.escape = uint32(s.Escape)
	}
	return c.opened(c.call(muxNewSession, m.append(nil), in, out, errs))
}

// Stdio connects two descriptors with a place at the other side.
func (c *Control) Stdio(host string, port int, in, out int) (number uint32, err error) {
	b := wire.AppendUint32(wire.AppendText(wire.AppendText(nil, ""), host), uint32(port))
	return c.opened(c.call(muxStdioForward, b, in, out))
}

func (c *Control) opened(t uint32, b []byte, err error) (uint32, error) {
	if err != nil {
		return 0, err
	}
	if err := expect(t, muxSessionOpened); err != nil {
		return 0, err
	}
	r := wire.NewReader(b)
	n := r.Uint32()
	return n, r.Done()
}

// Wait waits for the end of the session and returns its exit status, -1 if the
// master has told none. noTTY is called when the server grants no terminal.
func (c *Control) Wait(number uint32, noTTY func()) (status int, err error) {
	status = -1
	for {
		b, err := readControl(c.c)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				err = nil
			}
			return status, err
		}
		r := wire.NewReader(b)
		t, n := r.Uint32(), r.Uint32()
		switch {
		case r.Err() != nil || n != number:
			return status, fmt.Errorf("%w: message for session %d", errControl, n)
		case t == muxNoTTY:
			if noTTY != nil {
				noTTY()
			}
		case t == muxExit && status < 0:
			status = int(r.Uint32() & 0xff)
			if r.Err() != nil {
				return -1, errControl
			}
		default:
			return status, fmt.Errorf("%w: message of type %#x", errControl, t)
		}
	}
}
