package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/session"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// messages cuts data into payloads: a length byte, then so many bytes.
func messages(data []byte) (msgs [][]byte) {
	for len(data) > 1 && len(msgs) < 200 {
		n := min(int(data[0]), len(data)-1)
		if n > 0 {
			msgs = append(msgs, data[1:1+n])
		}
		data = data[1+n:]
	}
	return msgs
}

// joined is the reverse of messages.
func joined(msgs ...[]byte) (data []byte) {
	for _, m := range msgs {
		data = append(append(data, byte(len(m))), m...)
	}
	return data
}

func request(id uint32, name string, payload []byte) []byte {
	return (&wire.ChannelRequest{Recipient: id, Type: name, WantReply: true, Payload: payload}).Append(nil)
}

// seeds are lively sequences after login, for both roles.
func seeds(f *testing.F) {
	open := (&wire.ChannelOpen{Type: "session", Sender: 3, Window: 1 << 20, MaxPacket: 32768}).Append(nil)
	f.Add(joined(open, request(0, "exec", wire.AppendText(nil, "cat")), wire.AppendText(u32(94, 0), "data"), u32(96, 0), u32(97, 0)))
	f.Add(joined(open, request(0, "pty-req", (&PTY{Term: "xterm"}).Append(nil)), request(0, "shell", nil), request(0, "window-change", make([]byte, 16))))
	f.Add(joined(open, open, request(1, "env", session.Env{Name: "A", Value: "B"}.Append(nil)), u32(93, 0, 100), u32(93, 1, 1<<31)))
	f.Add(joined((&wire.GlobalRequest{Type: "hostkeys-prove-00@openssh.com", WantReply: true}).Append(nil), []byte{80, 0, 0, 0, 0, 1}))
	f.Add(joined((&wire.ChannelOpenConfirmation{MaxPacket: 1}).Append(nil), (&wire.ChannelOpenFailure{}).Append(nil), u32(99, 0), []byte{81}, []byte{82}))
	f.Add(joined(wire.AppendText([]byte{192}, "PING!"), []byte{20}, []byte{21}, []byte{1, 0, 0, 0, 2}, []byte{7}, []byte{50}, []byte{255}))
	f.Add(joined(request(0, "exit-status", []byte{0, 0, 0, 3}), request(0, "exit-signal", (&session.ExitSignal{Signal: "HUP"}).Append(nil)), request(0, "eow@openssh.com", nil)))
}

// fuzzPair is a logged-in pair in memory, and what ended the server.
func fuzzPair(t *testing.T, handler func(*Session)) (*Client, chan error) {
	host, user := newSigner(t), newSigner(t)
	s := &Server{HostKeys: []Signer{host}, Handler: handler, AcceptEnv: func(string) bool { return true },
		PublicKey: func(context.Context, *ConnMeta, PublicKey) (*Permissions, error) { return nil, nil }}
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- s.ServeConn(context.Background(), a) }()
	c, err := NewClient(context.Background(), b, "pipe:22", &ClientConfig{User: "u", Auth: []AuthMethod{PublicKeys(user)}, HostKey: FixedHostKey(host.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	return c, ended
}

func noPanic(t *testing.T, err error) {
	t.Helper()
	var p *PanicError
	if errors.As(err, &p) {
		t.Fatalf("%v\n%s", err, p.Stack)
	}
}

// awaitEnd fails when a connection does not end although its peer has gone.
func awaitEnd(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the connection does not end")
		return nil
	}
}

// FuzzServerAfterLogin: no sequence of messages of a client that has logged in
// makes a server panic or hang.
func FuzzServerAfterLogin(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ended := fuzzPair(t, func(s *Session) { io.Copy(s, s) })
		for _, m := range messages(data) {
			if c.t.Send(m) != nil {
				break
			}
		}
		c.Close()
		noPanic(t, awaitEnd(t, ended))
		c.Wait()
	})
}

// FuzzClientAfterLogin: the same for what a server sends to its client, which
// has a session and a question open.
func FuzzClientAfterLogin(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		done := make(chan struct{})
		c, ended := fuzzPair(t, func(s *Session) {
			defer close(done)
			for _, m := range messages(data) {
				if s.conn.t.Send(m) != nil {
					break
				}
			}
			s.conn.Close()
		})
		go c.SendRequest(context.Background(), "question@example.org", true, nil)
		if s, err := c.NewSession(context.Background()); err == nil {
			s.Stdin = nil
			s.Run(context.Background(), "x")
		}
		c.Close()
		noPanic(t, c.Wait())
		awaitEnd(t, ended)
	})
}

// FuzzServerInClear: nor do any bytes of a stranger.
func FuzzServerInClear(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add(append([]byte("SSH-2.0-x\r\n"), 0, 0, 0, 12, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Server{HostKeys: []Signer{newSigner(t)}, Handler: func(*Session) {},
			PublicKey: func(context.Context, *ConnMeta, PublicKey) (*Permissions, error) { return nil, nil }}
		a, b := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- s.ServeConn(context.Background(), a) }()
		go io.Copy(io.Discard, b)
		b.Write(data)
		b.Close()
		err := awaitEnd(t, ended)
		noPanic(t, err)
		if err == nil {
			t.Fatal("a stranger was served")
		}
	})
}

// FuzzClientInClear: nor do any bytes of a server before its key is known.
func FuzzClientInClear(f *testing.F) {
	f.Add([]byte("hello\r\nSSH-2.0-x\r\n"))
	f.Add(append([]byte("SSH-2.0-x\r\n"), 0, 0, 0, 12, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := net.Pipe()
		ended := make(chan error, 1)
		go func() {
			_, err := NewClient(context.Background(), a, "pipe:22", &ClientConfig{User: "u",
				HostKey: func(context.Context, string, net.Addr, PublicKey) error { return errors.New("never") }})
			ended <- err
		}()
		go io.Copy(io.Discard, b)
		b.Write(data)
		b.Close()
		err := awaitEnd(t, ended)
		noPanic(t, err)
		if err == nil {
			t.Fatal("logged in to nothing")
		}
	})
}
