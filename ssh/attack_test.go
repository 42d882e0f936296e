package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/session"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// hostile is a logged-in client that can send any message, and what the server
// made of its connection.
type hostile struct {
	*Client
	test  *testing.T
	ended chan error
	good  func() // a good login still works
}

func newHostile(t *testing.T, change func(*Server)) *hostile {
	t.Helper()
	h := &hostile{test: t, ended: make(chan error, 1)}
	addr, host, user := testServer(t, func(s *Server) {
		s.Ended = func(_ *ConnMeta, err error) {
			select {
			case h.ended <- err: // the first is that of the hostile connection
			default:
			}
		}
		if change != nil {
			change(s)
		}
	})
	h.Client = dialTest(t, addr, host, user, nil)
	h.good = func() {
		t.Helper()
		c := dialTest(t, addr, host, user, nil)
		if _, err := c.Output(context.Background(), "hello"); err != nil {
			t.Errorf("a good login failed: %v", err)
		}
		c.Close()
	}
	return h
}

// send sends a raw message.
func (h *hostile) send(p []byte) {
	h.test.Helper()
	if err := h.Client.t.Send(p); err != nil {
		h.test.Logf("sending: %v", err)
	}
}

// dies demands that the server ends the connection with code 2 and the text.
func (h *hostile) dies(text string) {
	h.test.Helper()
	select {
	case err := <-h.ended:
		var d *DisconnectError
		if !errors.As(err, &d) || d.Reason != wire.ReasonProtocolError || !strings.Contains(d.Message, text) {
			h.test.Errorf("server: %v, want code 2 with %q", err, text)
		}
	case <-time.After(10 * time.Second):
		h.test.Fatal("the connection lives on")
	}
	var p *PeerDisconnectError
	if err := h.Wait(); !errors.As(err, &p) || p.Reason != wire.ReasonProtocolError {
		h.test.Errorf("client was told %v", err)
	}
	h.good()
}

// lives demands that the connection is as good as before.
func (h *hostile) lives() {
	h.test.Helper()
	if out, err := h.Output(context.Background(), "hello"); err != nil || string(out) != `shell "hello"` {
		h.test.Errorf("got %q, %v", out, err)
	}
}

// session opens a session without starting anything.
func (h *hostile) session() *ClientSession {
	h.test.Helper()
	s, err := h.NewSession(context.Background())
	if err != nil {
		h.test.Fatal(err)
	}
	s.StdinPipe() // its input stays open
	return s
}

func u32(n byte, v ...uint32) []byte {
	b := []byte{n}
	for _, x := range v {
		b = wire.AppendUint32(b, x)
	}
	return b
}

func TestCHN01_Opens(t *testing.T) {
	h := newHostile(t, nil)
	ctx := context.Background()
	var open []*ClientSession
	for range defaultMaxSessions {
		open = append(open, h.session())
	}
	var refused *OpenChannelError
	if _, err := h.NewSession(ctx); !errors.As(err, &refused) || refused.Reason != wire.OpenConnectFailed {
		t.Errorf("session %d: %v", defaultMaxSessions+1, err)
	}
	for range 5000 { // refused ones leave no trace
		if _, err := h.OpenChannel(ctx, "nothing@example.org", nil); !errors.As(err, &refused) {
			t.Fatal(err)
		}
	}
	for _, s := range open {
		s.Close()
		s.ch.WaitClosed(ctx)
	}
	if n := h.mux.Open(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
	h.lives()
}

func TestCHN01_ChannelLimit(t *testing.T) {
	h := newHostile(t, func(s *Server) { s.MaxSessions = 10000 })
	ctx := context.Background()
	n := 0
	for ; n < connection.MaxChannels+10; n++ {
		if _, err := h.NewSession(ctx); err != nil {
			break
		}
	}
	if n != connection.MaxChannels {
		t.Errorf("%d channels were opened, want %d", n, connection.MaxChannels)
	}
}

func TestCHN02_BeyondWindow(t *testing.T) {
	h := newHostile(t, func(s *Server) {
		s.Handler = func(s *Session) {
			if s.Command() != "" {
				handleTest(s)
				return
			}
			<-s.Context().Done() // reads nothing
		}
	})
	s := h.session()
	if err := s.Shell(context.Background()); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 64<<10)
	for range connection.Window / len(chunk) { // exactly the window is taken
		h.send(wire.AppendString(u32(wire.MsgChannelData, 0), chunk))
	}
	if _, _, err := h.SendRequest(context.Background(), "x", true, nil); err != nil {
		t.Fatalf("the window itself was refused: %v", err)
	}
	h.send(wire.AppendString(u32(wire.MsgChannelData, 0), []byte{1}))
	h.dies("peer ignored channel window")
}

func TestCHN02_LargeMessage(t *testing.T) {
	h := newHostile(t, nil)
	h.session()
	h.send(wire.AppendString(u32(wire.MsgChannelData, 0), make([]byte, connection.MaxPacket+1)))
	h.dies("peer ignored")
}

func TestCHN03_WindowOverflow(t *testing.T) {
	h := newHostile(t, nil)
	h.session()
	h.send(u32(wire.MsgChannelWindowAdjust, 0, 1<<32-1-connection.Window))
	h.lives()
	h.send(u32(wire.MsgChannelWindowAdjust, 0, 1))
	h.dies("window beyond 2^32-1")
}

func TestCHN04_MaxPacket(t *testing.T) {
	h := newHostile(t, nil)
	open := wire.ChannelOpen{Type: "session", Sender: 7, Window: 1000, MaxPacket: 0}
	h.send(open.Append(nil))
	h.dies("maximum packet size of 0")
}

// TestCHN04_TinyPackets: a peer that takes one byte at a time gets one byte at a
// time, and no busy loop.
func TestCHN04_TinyPackets(t *testing.T) {
	addr, host, user := testServer(t, nil)
	c := dialTest(t, addr, host, user, nil)
	s := &ClientSession{conn: &c.Conn}
	var got bytes.Buffer
	var err error
	s.ch, err = c.mux.OpenSized(context.Background(), "session", nil, 100, 1, func(ch *Channel) { ch.Handle(s.request, nil, nil) })
	if err != nil {
		t.Fatal(err)
	}
	s.Stdout = &got
	if err := s.Run(context.Background(), "hello"); err != nil || got.String() != `shell "hello"` {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

func TestCHN06_UnknownChannel(t *testing.T) {
	for name, p := range map[string][]byte{
		"data":     wire.AppendString(u32(wire.MsgChannelData, 5), []byte("x")),
		"extended": wire.AppendString(u32(wire.MsgChannelExtendedData, 5, 1), []byte("x")),
		"adjust":   u32(wire.MsgChannelWindowAdjust, 5, 1),
		"eof":      u32(wire.MsgChannelEOF, 5),
		"close":    u32(wire.MsgChannelClose, 5),
		"request":  append(wire.AppendText(u32(wire.MsgChannelRequest, 5), "shell"), 1),
		"success":  u32(wire.MsgChannelSuccess, 5),
		"huge":     u32(wire.MsgChannelEOF, 1<<32-1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, nil)
			h.send(p)
			h.dies("not open")
		})
	}
}

func TestCHN07_RepliesNobodyWaitsFor(t *testing.T) {
	h := newHostile(t, nil)
	h.session()
	for range 10000 {
		h.send(u32(wire.MsgChannelSuccess, 0))
		h.send([]byte{wire.MsgRequestSuccess})
		h.send([]byte{wire.MsgRequestFailure})
		h.send(u32(wire.MsgChannelFailure, 0))
	}
	h.lives()
}

// TestCHN08_ReaderNeverWaits: a handler that takes no data, no request and no
// window change holds up nobody else.
func TestCHN08_ReaderNeverWaits(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	h := newHostile(t, func(s *Server) {
		s.Requests = map[string]func(context.Context, *ServerConn, *GlobalRequest){
			"block@example.org": func(context.Context, *ServerConn, *GlobalRequest) { <-block },
		}
		old := s.Handler
		s.Handler = func(s *Session) {
			if s.Command() == "block" {
				<-block
				return
			}
			old(s)
		}
	})
	s := h.session()
	if err := s.Start(context.Background(), "block"); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		h.send(append(wire.AppendText(u32(wire.MsgChannelRequest, 0), session.ReqWindowChange), append([]byte{0}, make([]byte, 16)...)...))
		h.send(append(wire.AppendText(u32(wire.MsgChannelRequest, 0), session.ReqSignal), append([]byte{0}, wire.AppendText(nil, "HUP")...)...))
	}
	h.send(wire.AppendString(u32(wire.MsgChannelData, 0), make([]byte, 100000)))
	h.send(append(wire.AppendText([]byte{wire.MsgGlobalRequest}, "block@example.org"), 0))
	h.lives()
}

func TestCHN08_UnansweredRequestsAreBounded(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	h := newHostile(t, func(s *Server) {
		s.Requests = map[string]func(context.Context, *ServerConn, *GlobalRequest){
			"block@example.org": func(context.Context, *ServerConn, *GlobalRequest) { <-block },
		}
	})
	for range connection.MaxPending {
		h.send(append(wire.AppendText([]byte{wire.MsgGlobalRequest}, "block@example.org"), 1))
	}
	h.lives()
	h.send(append(wire.AppendText([]byte{wire.MsgGlobalRequest}, "block@example.org"), 1))
	h.dies("unanswered global requests")
}

// TestCHN09_Stderr: extended data that nobody reads does not use up the window.
func TestCHN09_Stderr(t *testing.T) {
	h := newHostile(t, nil)
	s := h.session()
	if err := s.Start(context.Background(), "cat"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []uint32{1, 2, 1 << 31} {
		n := 0
		for n < 3*connection.Window {
			got, err := s.ch.WriteExtended(code, make([]byte, 32<<10))
			if err != nil {
				t.Fatal(err)
			}
			n += got
		}
	}
	h.lives()
}

func TestCHN11_AnswersToNothing(t *testing.T) {
	for name, p := range map[string][]byte{
		"confirmation": (&wire.ChannelOpenConfirmation{Recipient: 0, MaxPacket: 1}).Append(nil),
		"failure":      (&wire.ChannelOpenFailure{Recipient: 0}).Append(nil),
		"of another":   (&wire.ChannelOpenConfirmation{Recipient: 1 << 20, MaxPacket: 1}).Append(nil),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, nil)
			h.session()
			h.send(p)
			h.dies("not being opened")
		})
	}
}

func TestCHN12_Order(t *testing.T) {
	h := newHostile(t, nil)
	ctx := context.Background()
	s := h.session()
	if err := s.Start(ctx, "cat"); err != nil {
		t.Fatal(err)
	}
	pty := (&PTY{Term: "x"}).Append(nil)
	for _, r := range []struct {
		name    string
		payload []byte
	}{{"exec", wire.AppendText(nil, "x")}, {"shell", nil}, {"subsystem", wire.AppendText(nil, "x")}, {"pty-req", pty},
		{"env", session.Env{Name: "A", Value: "b"}.Append(nil)}, {"unknown@example.org", nil}} {
		if ok, err := s.ch.SendRequest(ctx, r.name, true, r.payload); ok || err != nil {
			t.Errorf("%s after start: %v, %v", r.name, ok, err)
		}
	}
	s = h.session()
	for _, name := range []string{"window-change", "signal", "break"} {
		if ok, _ := s.ch.SendRequest(ctx, name, true, make([]byte, 16)); ok {
			t.Errorf("%s before start was granted", name)
		}
	}
	if err := s.RequestPTY(ctx, &PTY{Term: "x"}); err != nil {
		t.Fatal(err)
	}
	h.send(append(append(wire.AppendText(u32(wire.MsgChannelRequest, 1), "pty-req"), 1), pty...))
	h.dies("already have a pty")
}

// TestCHN13_CloseIsAnswered: also while the program has more to say than the
// window lets out.
func TestCHN13_CloseIsAnswered(t *testing.T) {
	h := newHostile(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s := h.session()
	s.StdoutPipe() // nobody reads it: the server's writer blocks
	if err := s.Start(ctx, "zero 100000000"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.ch.WaitClosed(ctx); err != nil {
		t.Errorf("CLOSE was not answered: %v", err)
	}
	h.lives()
}

// TestCHN13_LastOutput: what a program writes just before it ends arrives, and
// so does its status.
func TestCHN13_LastOutput(t *testing.T) {
	h := newHostile(t, func(s *Server) {
		s.Handler = func(s *Session) {
			s.Write(make([]byte, 300000))
			io.WriteString(s, "last words")
			s.Exit(7)
		}
	})
	for range 50 {
		out, err := h.Output(context.Background(), "x")
		var e *ExitError
		if !errors.As(err, &e) || e.Status != 7 || !bytes.HasSuffix(out, []byte("last words")) || len(out) != 300010 {
			t.Fatalf("got %d bytes, %v", len(out), err)
		}
	}
}

func TestCHN14_SessionEndsWithConnection(t *testing.T) {
	gone := make(chan error, 1)
	h := newHostile(t, func(s *Server) {
		s.Handler = func(s *Session) {
			<-s.Context().Done()
			_, err := s.Read(make([]byte, 1))
			gone <- err
		}
	})
	s := h.session()
	if err := s.Shell(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.raw.Close() // the line is cut
	select {
	case err := <-gone:
		if err == nil {
			t.Error("reading goes on")
		}
	case <-time.After(10 * time.Second):
		t.Error("the session outlives its connection")
	}
}

func TestCHN15_CloseTwice(t *testing.T) {
	h := newHostile(t, nil)
	for range 20 {
		s := h.session()
		done := make(chan struct{})
		for range 4 {
			go func() { s.Close(); s.ch.CloseWrite(); done <- struct{}{} }()
		}
		for range 4 {
			<-done
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s.ch.WaitClosed(context.Background())
	}
	h.send(u32(wire.MsgChannelClose, 0)) // of a channel that was open once: ignored (CHN-6)
	h.lives()
}

func TestCHN16_Commands(t *testing.T) {
	for name, c := range map[string]struct {
		cmd string
		ok  bool
	}{"NUL": {"a\x00b", false}, "large": {strings.Repeat("x", 200000), true}} {
		h := newHostile(t, nil)
		err := h.session().Start(context.Background(), c.cmd)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		h.lives()
	}
}

func TestCHN17_Terminal(t *testing.T) {
	h := newHostile(t, nil)
	ctx := context.Background()
	for name, c := range map[string]struct {
		payload []byte
		ok      bool
	}{
		"good":      {(&PTY{Term: strings.Repeat("x", session.MaxTerm)}).Append(nil), true},
		"long TERM": {(&PTY{Term: strings.Repeat("x", session.MaxTerm+1)}).Append(nil), false},
		"escape":    {(&PTY{Term: "x\x1b"}).Append(nil), false},
		"modes":     {(&PTY{Modes: make([]byte, session.MaxModes+1)}).Append(nil), false},
		"cut":       {(&PTY{Term: "x"}).Append(nil)[:10], false},
		"trailing":  {append((&PTY{Term: "x"}).Append(nil), 0), false},
	} {
		s := h.session()
		ok, err := s.ch.SendRequest(ctx, "pty-req", true, c.payload)
		if ok != c.ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		s.Close()
		s.ch.WaitClosed(ctx)
	}
	p, err := session.ParsePTY((&PTY{Term: "x", Window: Window{Columns: 1 << 31, Rows: 70000}}).Append(nil))
	if err != nil || p.Window.Columns != session.MaxSize || p.Window.Rows != session.MaxSize {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestCHN18_Environment(t *testing.T) {
	h := newHostile(t, func(s *Server) {
		s.AcceptEnv = func(name string) bool { return strings.HasPrefix(name, "LC_") }
		s.Handler = func(s *Session) {
			for _, e := range s.Environ() {
				io.WriteString(s, e.Name+"="+e.Value+" ")
			}
		}
	})
	ctx := context.Background()
	s := h.session()
	for _, c := range []struct {
		name, value string
		ok          bool
	}{{"LC_ALL", "C", true}, {"LD_PRELOAD", "x", false}, {"PATH", "x", false}, {"LC_A=B", "x", false}, {"", "x", false},
		{"LC_\x00", "x", false}, {"LC_NL", "a\x00b", false}, {"LC_BIG", strings.Repeat("x", session.MaxEnvSize), false}} {
		if err := s.Setenv(ctx, c.name, c.value); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.name, err)
		}
	}
	out, err := s.Output(ctx, "x")
	if err != nil || string(out) != "LC_ALL=C " {
		t.Errorf("got %q, %v", out, err)
	}
	s = h.session()
	n := 0
	for ; n < session.MaxEnv+5; n++ {
		if s.Setenv(ctx, "LC_X", "y") != nil {
			break
		}
	}
	if n != session.MaxEnv {
		t.Errorf("%d variables were taken, want %d", n, session.MaxEnv)
	}
}

func TestCHN10_ShortExitStatus(t *testing.T) {
	addr, host, user := testServer(t, func(s *Server) {
		s.Handler = func(s *Session) {
			s.exited = true // our own is not sent
			s.ch.SendRequest(context.Background(), session.ReqExitStatus, false, []byte{0, 0})
		}
	})
	c := dialTest(t, addr, host, user, nil)
	var missing *ExitMissingError
	if err := c.Run(context.Background(), "x"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestGLB01_Keepalives(t *testing.T) {
	h := newHostile(t, nil)
	msg := append(wire.AppendText([]byte{wire.MsgGlobalRequest}, "keepalive@openssh.com"), 1)
	for range 100000 {
		h.send(msg)
	}
	h.lives()
}

func TestGLB03_ProveHostKeys(t *testing.T) {
	addr, host, user := testServer(t, nil)
	c := dialTest(t, addr, host, user, nil)
	ctx := context.Background()
	blob := host.Marshal()
	ask := func(blobs ...[]byte) (bool, []byte) {
		var p []byte
		for _, b := range blobs {
			p = wire.AppendString(p, b)
		}
		ok, reply, err := c.SendRequest(ctx, "hostkeys-prove-00@openssh.com", true, p)
		if err != nil {
			t.Fatal(err)
		}
		return ok, reply
	}
	for name, blobs := range map[string][][]byte{"none": nil, "another": {newSigner(t).PublicKey().Marshal()}, "twice": {blob, blob}} {
		if ok, _ := ask(blobs...); ok {
			t.Errorf("%s: granted", name)
		}
	}
	c = dialTest(t, addr, host, user, nil)
	ok, reply := ask(blob)
	r := wire.NewReader(reply)
	sig, err := pubkey.ParseSignature(r.String())
	if !ok || err != nil || r.Done() != nil {
		t.Fatalf("got %v, %x, %v", ok, reply, err)
	}
	data := wire.AppendString(wire.AppendString(wire.AppendText(nil, "hostkeys-prove-00@openssh.com"), c.SessionID()), blob)
	if err := host.Verify(data, sig); err != nil {
		t.Error(err)
	}
	if ok, _ := ask(blob); ok {
		t.Error("a key was proved twice")
	}
}

func TestGLB07_WrongSide(t *testing.T) {
	h := newHostile(t, nil)
	for _, typ := range []string{"forwarded-tcpip", "forwarded-streamlocal@openssh.com", "x11", "auth-agent@openssh.com", "direct-tcpip"} {
		var refused *OpenChannelError
		if _, err := h.OpenChannel(context.Background(), typ, nil); !errors.As(err, &refused) {
			t.Errorf("server: %s: %v", typ, err)
		}
	}
	var fromServer []error
	opened := make(chan []error, 1)
	addr, host, user := testServer(t, func(s *Server) {
		s.LoggedIn = func(c *ServerConn) {
			go func() {
				for _, typ := range []string{"session", "direct-tcpip", "forwarded-tcpip", "x11", "auth-agent@openssh.com"} {
					_, err := c.OpenChannel(context.Background(), typ, nil)
					fromServer = append(fromServer, err)
				}
				opened <- fromServer
			}()
		}
	})
	dialTest(t, addr, host, user, nil)
	for i, err := range <-opened {
		var refused *OpenChannelError
		if !errors.As(err, &refused) {
			t.Errorf("client: %d: %v", i, err)
		}
	}
}

func TestGLB09_NoMoreSessions(t *testing.T) {
	h := newHostile(t, nil)
	if _, _, err := h.SendRequest(context.Background(), "no-more-sessions@openssh.com", false, nil); err != nil {
		t.Fatal(err)
	}
	open := wire.ChannelOpen{Type: "session", Sender: 0, Window: 1000, MaxPacket: 1000}
	h.send(open.Append(nil))
	h.dies("Possible attack")
}

// TestAfterLogin holds every message of 50 and above against a logged-in server.
func TestAfterLogin(t *testing.T) {
	for n := 50; n < 80; n++ {
		h := newHostile(t, nil)
		h.send([]byte{byte(n)})
		if n == wire.MsgUserauthRequest {
			h.lives() // AUT-24
			continue
		}
		h.dies("after authentication")
	}
}

// TestNothingIsLeft: after connections of all kinds have ended, no goroutine of
// theirs is.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("use", func(t *testing.T) {
		h := newHostile(t, nil)
		for range 20 {
			h.good()
		}
		s := h.session()
		s.Start(context.Background(), "cat")
	})
	for wait := time.Millisecond; runtime.NumGoroutine() > before; wait *= 2 {
		if wait > 5*time.Second {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(wait)
	}
}
