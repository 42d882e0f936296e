package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/system/fdpass"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// MaxPassengers bounds the processes that are connected to a master at once.
const MaxPassengers = 512

// ErrControlTaken is a path at which another master answers.
var ErrControlTaken = errors.New("client: control socket already exists")

// Master lets other processes share a connection. The fields are set before
// Listen; the functions may be called from any goroutine.
type Master struct {
	Conf     *sshconfig.Client
	Log      *Logger
	Client   *ssh.Client
	Forwards *Forwards
	// Permit asks the person; nil where nobody is asked.
	Permit func(question string) bool
	// Info and Channels answer -O conninfo and -O channels.
	Info, Channels func() string
	// Exit is called for -O exit.
	Exit func()

	path string
	own  os.FileInfo // the socket, to know it again
	l    *net.UnixListener

	stopped chan struct{} // nobody can come any more
	once    sync.Once
	count   atomic.Int32

	mu       sync.Mutex
	sessions map[*passenger]struct{}
}

// Listen makes the socket at path. It is made under another name first, so
// that nobody meets one that is not ready. One that nobody answers at is
// replaced; another master's is ErrControlTaken.
func (m *Master) Listen(path string) error {
	m.stopped, m.sessions = make(chan struct{}), map[*passenger]struct{}{}
	var random [8]byte
	rand.Read(random[:])
	name := path + "." + hex.EncodeToString(random[:])
	if len(name) >= MaxSocketPath {
		return fmt.Errorf("ControlPath too long ('%s' >= %d bytes)", path, MaxSocketPath)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	defer os.Remove(name)
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return err
	}
	err = os.Link(name, path)
	if errors.Is(err, os.ErrExist) {
		if answers(path) {
			l.Close()
			return ErrControlTaken
		}
		m.Log.Debug1("Stale control socket %s, unlinking", path)
		os.Remove(path)
		if err = os.Link(name, path); errors.Is(err, os.ErrExist) {
			err = ErrControlTaken
		}
	}
	if err != nil {
		l.Close()
		return err
	}
	m.path, m.l = path, l
	m.own, _ = os.Lstat(path)
	go m.serve()
	go m.watch()
	return nil
}

// answers reports whether a master that is awake listens at path.
func answers(path string) bool {
	c, err := OpenControl(path, ControlTimeout)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// Stopped is closed when nobody can come any more.
func (m *Master) Stopped() <-chan struct{} { return m.stopped }

// Stop unlinks the socket and listens no more. Who is there stays.
func (m *Master) Stop() {
	m.once.Do(func() {
		if m.ours() {
			os.Remove(m.path)
		}
		m.l.Close()
		close(m.stopped)
	})
}

// ours reports whether the path still leads to our socket.
func (m *Master) ours() bool {
	st, err := os.Lstat(m.path)
	return err == nil && m.own != nil && os.SameFile(st, m.own)
}

// watch notices that somebody has taken the path over: then nobody will ever
// come, and the master can go when it is idle.
func (m *Master) watch() {
	tick := time.NewTicker(ControlTimeout)
	defer tick.Stop()
	for {
		select {
		case <-m.stopped:
			return
		case <-m.Client.Done():
			return
		case <-tick.C:
			if !m.ours() {
				m.Stop()
			}
		}
	}
}

func (m *Master) serve() {
	forward.AcceptAll(m.Client.Context(), m.l, func(err error) {
		m.Log.Error("accept: %s", Strerror(err))
	}, func(c net.Conn) {
		if m.count.Add(1) > MaxPassengers {
			m.count.Add(-1)
			c.Close()
			return
		}
		go func() {
			defer m.count.Add(-1)
			p := &passenger{m: m, c: c.(*net.UnixConn)}
			p.run()
		}()
	})
}

// Resized tells the sessions that have a terminal of its size, after SIGWINCH.
func (m *Master) Resized() {
	m.mu.Lock()
	var list []*passenger
	for p := range m.sessions {
		list = append(list, p)
	}
	m.mu.Unlock()
	for _, p := range list {
		p.resized()
	}
}

// passenger is one process that is connected.
type passenger struct {
	m *Master
	c *net.UnixConn

	write sync.Mutex

	used    bool // had its session or stdio forward
	session *ssh.ClientSession
	in      int // descriptor of the terminal
	tty     bool
}

func (p *passenger) send(body []byte) error {
	p.write.Lock()
	defer p.write.Unlock()
	_, err := p.c.Write(framed(body))
	return err
}

func (p *passenger) fail(id uint32, reason string) error {
	return p.send(wire.AppendText(u32s(muxFailure, id), reason))
}

// ask asks the person whether the passenger may; no answers it.
func (p *passenger) ask(id uint32, format string, args ...any) bool {
	if p.m.Permit == nil || p.m.Permit(fmt.Sprintf(format, args...)) {
		return true
	}
	p.send(wire.AppendText(u32s(muxDenied, id), "Permission denied"))
	return false
}

// run answers a passenger until it or we have had enough.
func (p *passenger) run() {
	defer p.c.Close()
	if uid, err := fdpass.Peer(p.c); err == nil && uid != 0 && int(uid) != os.Geteuid() {
		p.m.Log.Error("multiplex uid mismatch: peer euid %d != uid %d", uid, os.Geteuid())
		return
	}
	stop := context.AfterFunc(p.m.Client.Context(), func() { p.c.Close() })
	defer stop()
	if p.send(muxHelloMessage(extInfo)) != nil {
		return
	}
	defer func() {
		p.write.Lock()
		s := p.session
		p.write.Unlock()
		if s != nil { // the passenger is gone: so is its session
			s.Channel().CloseWrite()
			s.Close()
		}
	}()
	b, err := readControl(p.c)
	if err == nil {
		_, err = parseHello(b)
	}
	for err == nil {
		if b, err = readControl(p.c); err == nil {
			err = p.answer(b)
		}
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		p.m.Log.Debug1("mux: %s", err)
	}
}

// answer does one request; an error ends the connection.
func (p *passenger) answer(b []byte) error {
	if len(b) < 8 {
		return errControl
	}
	r := wire.NewReader(b)
	kind, id := r.Uint32(), r.Uint32()
	rest := b[8:]
	m := p.m
	switch kind {
	case muxAliveCheck:
		return p.send(u32s(muxAlive, id, uint32(os.Getpid())))
	case muxTerminate:
		if p.ask(id, "Terminate shared connection to %s? ", m.Conf.Hostname) {
			p.send(u32s(muxOK, id))
			m.Exit()
		}
		return nil
	case muxStopListening:
		if p.ask(id, "Disable further multiplexing on shared connection to %s? ", m.Conf.Hostname) {
			m.Stop()
			return p.send(u32s(muxOK, id))
		}
		return nil
	case muxNewSession:
		return p.newSession(id, rest)
	case muxStdioForward:
		return p.stdioForward(id, rest)
	case muxOpenForward, muxCloseForward:
		return p.forward(kind, id, rest)
	case muxInfo:
		r := wire.NewReader(rest)
		switch r.Text() {
		case "connection":
			return p.send(wire.AppendText(u32s(muxInfoText, id, 1), m.Info()))
		case "channels":
			return p.send(wire.AppendText(u32s(muxInfoText, id, 1), m.Channels()))
		}
		return p.send(wire.AppendText(u32s(muxInfoText, id, 0), "info request type not supported"))
	}
	return p.fail(id, "unsupported request")
}

// describe names a forward in a question.
func describe(way ForwardWay, f *sshconfig.Forward) string {
	listen := fmt.Sprintf("%s port %d", f.ListenHost, f.ListenPort)
	if f.ListenHost == "" {
		listen = fmt.Sprintf("LOCALHOST port %d", f.ListenPort)
	}
	switch way {
	case ForwardLocal:
		return "local forward " + listen + " -> " + ConnectText(f)
	case ForwardRemote:
		return "remote forward " + listen + " -> " + ConnectText(f)
	}
	return "dynamic forward " + listen
}

func (p *passenger) forward(kind, id uint32, b []byte) error {
	way, f, err := parseMuxForward(b)
	if errors.Is(err, errMuxForward) {
		return p.fail(id, err.Error())
	}
	if err != nil {
		return err
	}
	if kind == muxCloseForward {
		if err := p.m.Forwards.Cancel(way, f, false); err != nil {
			return p.fail(id, ErrNotForwarded.Error())
		}
		return p.send(u32s(muxOK, id))
	}
	if !p.ask(id, "Open %s on %s?", describe(way, &f), p.m.Conf.Hostname) {
		return nil
	}
	port, err := p.m.Forwards.Add(way, f)
	switch {
	case errors.Is(err, ErrForwardRefused):
		return p.fail(id, fmt.Sprintf("remote port forwarding failed for listen port %d", f.ListenPort))
	case err != nil:
		return p.fail(id, "Port forwarding failed")
	case way == ForwardRemote && f.ListenPort == 0:
		return p.send(u32s(muxRemotePort, id, uint32(port)))
	}
	return p.send(u32s(muxOK, id))
}

// files takes n descriptors that follow a request.
func (p *passenger) files(n int) ([]int, error) {
	var fds []int
	for len(fds) < n {
		fd, err := fdpass.Receive(p.c)
		if err != nil {
			for _, f := range fds {
				fdpass.Close(f)
			}
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		fdpass.Close(fd)
	}
}

// output is a passenger's file as the sink of a stream: it is closed with the
// passenger and not before, since it is the passenger's too.
type output struct{ *rawio.File }

func (output) CloseWrite() error { return nil }

func (p *passenger) newSession(id uint32, b []byte) error {
	s, err := parseMuxSession(b)
	if err != nil {
		return err
	}
	fds, err := p.files(3)
	if err != nil {
		p.fail(id, "did not receive file descriptors")
		return err
	}
	if p.used {
		closeAll(fds)
		return p.fail(id, "Multiple sessions not supported")
	}
	if !p.ask(id, "Allow shared connection to %s? ", p.m.Conf.Hostname) {
		closeAll(fds)
		return nil
	}
	p.used = true
	m := p.m
	prog := &ssh.Program{Env: p.environment(s.env)}
	if s.subsystem {
		prog.Subsystem = s.command
	} else {
		prog.Command = s.command
	}
	if s.tty {
		t := &ssh.PTY{Term: s.term, Modes: []byte{0}}
		if state, err := tty.GetState(fds[0]); err == nil {
			t.Modes = state.Modes()
		}
		if size, err := tty.GetSize(fds[0]); err == nil {
			t.Window = ssh.Window(size)
		}
		prog.PTY = t
	}
	in, out, errs := rawio.Received(fds[0], "stdin"), rawio.Received(fds[1], "stdout"), rawio.Received(fds[2], "stderr")
	files := func() { in.Close(); out.Close(); errs.Close() }
	session, err := m.Client.NewSession(m.Client.Context())
	if err != nil {
		files()
		p.used = false
		return p.fail(id, "Session open refused by peer")
	}
	number := session.Channel().ID()
	prog.Refused = func(request string) {
		fmt.Fprintf(errs, "%s\r\n", strings.TrimSuffix(RequestFailed(&ssh.RequestError{Request: request}, number), fmt.Sprintf(" on channel %d", number)))
		if request == "pty-req" {
			p.send(u32s(muxNoTTY, number))
			if m.Conf.RequestTTY == sshconfig.TTYYes || m.Conf.RequestTTY == sshconfig.TTYForce {
				session.Close()
			}
		}
	}
	session.Stdout, session.Stderr = output{out}, output{errs}
	var typed io.WriteCloser
	if s.tty && s.escape != muxNoEscape {
		typed, _ = session.StdinPipe()
	} else {
		session.Stdin = in
	}
	p.write.Lock()
	p.session, p.in, p.tty = session, fds[0], s.tty
	p.write.Unlock()
	m.mu.Lock()
	m.sessions[p] = struct{}{}
	m.mu.Unlock()
	if err := p.send(u32s(muxSessionOpened, id, number)); err != nil {
		session.Close()
	}
	go func() {
		defer files()
		ctx := context.Background()
		err := session.Begin(ctx, prog)
		if err == nil {
			if typed != nil {
				typed = Paced(typed, m.Client, m.Conf.ObscureKeystrokeTiming)
				go p.type_(typed, in, errs, byte(s.escape))
			}
			err = session.Wait(ctx)
		}
		m.mu.Lock()
		delete(m.sessions, p)
		m.mu.Unlock()
		var refused *ssh.RequestError
		var exited *ssh.ExitError
		switch {
		case errors.As(err, &refused):
			fmt.Fprintf(errs, "%s request failed\r\n", refused.Request)
			session.Close()
		case err == nil:
			p.send(u32s(muxExit, number, 0))
		case errors.As(err, &exited) && exited.Signal == "":
			p.send(u32s(muxExit, number, uint32(exited.Status)))
		}
		p.c.Close()
	}()
	return nil
}

// environment is what of a passenger's variables the master's own SendEnv lets
// through, and then the master's SetEnv.
func (p *passenger) environment(env []string) []ssh.Env {
	var l []ssh.Env
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		for _, pattern := range p.m.Conf.SendEnv {
			if ok && sshconfig.MatchPattern(name, pattern) {
				l = append(l, ssh.Env{Name: name, Value: value})
				break
			}
		}
	}
	for _, e := range p.m.Conf.SetEnv {
		name, value, _ := strings.Cut(e, "=")
		l = append(l, ssh.Env{Name: name, Value: value})
	}
	return l
}

func (p *passenger) resized() {
	p.write.Lock()
	s, fd, has := p.session, p.in, p.tty
	p.write.Unlock()
	if s == nil || !has {
		return
	}
	if size, err := tty.GetSize(fd); err == nil {
		s.WindowChange(ssh.Window(size))
	}
}

// type_ carries what is typed at a passenger's terminal. Its escapes are fewer
// than those of a connection's owner.
func (p *passenger) type_(w io.WriteCloser, in, errs *rawio.File, char byte) {
	e := NewEscape(char)
	buf := make([]byte, 4<<10)
	say := func(format string, args ...any) { fmt.Fprintf(errs, format+"\r\n", args...) }
	for {
		n, err := in.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			var data []byte
			var command byte
			data, command, rest = e.Next(rest)
			if len(data) > 0 {
				if _, err := w.Write(data); err != nil {
					return
				}
			}
			switch command {
			case 0:
			case EscapeTerminate:
				p.session.Close()
				return
			case EscapeBreak:
				say("%cB", char)
				go p.session.Break(context.Background(), 1000)
			case EscapeRekey:
				p.m.Client.Rekey()
			case EscapeHelp:
				io.WriteString(errs, e.Help(p.m.Conf.EnableEscapeCommandline, true))
			case EscapeList:
				say("%c#", char)
				io.WriteString(errs, p.m.Channels())
			case EscapeInfo:
				say("%cI", char)
				io.WriteString(errs, p.m.Info())
			case EscapeSuspend:
				say("%c^Z escape not available to multiplexed sessions", char)
			default:
				say("%c%c escape not available to multiplexed sessions", char, command)
			}
		}
		if err != nil {
			w.Close()
			return
		}
	}
}

// twoFiles is a passenger's input and output as one stream.
type twoFiles struct {
	*rawio.File
	out *rawio.File
}

func (s twoFiles) TryWritev(bufs [][]byte) (int, error) { return s.out.TryWritev(bufs) }
func (s twoFiles) Write(p []byte) (int, error)          { return s.out.Write(p) }

// CloseWrite ends the output; a file that is the passenger's too is only let
// go of.
func (s twoFiles) CloseWrite() error { return s.out.CloseWrite() }
func (s twoFiles) Close() error      { return errors.Join(s.File.Close(), s.out.Close()) }

func (p *passenger) stdioForward(id uint32, b []byte) error {
	r := wire.NewReader(b)
	r.String()
	host, port := r.Text(), r.Uint32()
	if err := r.Done(); err != nil || port > 65535 && port != muxSocketPort {
		return errControl
	}
	fds, err := p.files(2)
	if err != nil {
		p.fail(id, "did not receive file descriptors")
		return err
	}
	if p.used || port == muxSocketPort {
		closeAll(fds)
		why := "Multiple sessions not supported"
		if !p.used {
			why = ErrUnixForward.Error()
		}
		return p.fail(id, why)
	}
	if !p.ask(id, "Allow forward to [%s]:%d? ", host, port) {
		closeAll(fds)
		return nil
	}
	p.used = true
	relay := forward.NewRelay(twoFiles{rawio.Received(fds[0], "stdin"), rawio.Received(fds[1], "stdout")})
	o := forward.Open{Host: host, Port: uint16(port), OriginHost: "127.0.0.1", OriginPort: 65535}
	ch, err := p.m.Client.OpenChannelFunc(p.m.Client.Context(), forward.DirectTCPIP, o.Append(nil), relay.Setup)
	if err != nil {
		relay.Drop()
		return p.fail(id, "Session open refused by peer")
	}
	if err := p.send(u32s(muxSessionOpened, id, ch.ID())); err != nil {
		ch.Close()
	}
	context.AfterFunc(p.m.Client.Context(), func() { p.c.Close() })
	go func() {
		relay.Run()
		p.c.Close()
	}()
	return nil
}
