package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	public "github.com/nacre-ssh/nacre/ssh"
)

// peer is a server in the test's process. Its commands are run by /bin/sh,
// but for some words that it handles itself.
type peer struct {
	server *public.Server
	port   int
	host   public.Signer
	user   []byte // the private key file that logs in
	pub    public.PublicKey

	mu   sync.Mutex
	seen []string // requests and what they said
}

const (
	peerUser     = "ann"
	peerPassword = "open sesame"
)

func (p *peer) note(format string, args ...any) {
	p.mu.Lock()
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
	p.mu.Unlock()
}

func (p *peer) notes() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.seen, "\n")
}

func newSigner(t testing.TB) (ed25519.PrivateKey, public.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := public.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, s
}

// startPeer starts a server on a loopback port.
func startPeer(t testing.TB) *peer {
	t.Helper()
	p := &peer{}
	_, p.host = newSigner(t)
	key, user := newSigner(t)
	var err error
	if p.user, err = keyfile.MarshalPrivateKey(key, "ann's key", keyfile.MarshalOptions{}); err != nil {
		t.Fatal(err)
	}
	p.pub = user.PublicKey()
	blob := string(p.pub.Marshal())
	p.server = &public.Server{
		HostKeys: []public.Signer{p.host},
		PublicKey: func(_ context.Context, m *public.ConnMeta, k public.PublicKey) (*public.Permissions, error) {
			if m.User != peerUser || string(k.Marshal()) != blob {
				return nil, errors.New("no")
			}
			return nil, nil
		},
		Password: func(_ context.Context, m *public.ConnMeta, password []byte) (*public.Permissions, error) {
			p.note("password %s", password)
			if m.User != peerUser || string(password) != peerPassword {
				return nil, errors.New("no")
			}
			return nil, nil
		},
		KeyboardInteractive: func(ctx context.Context, m *public.ConnMeta, ask public.AuthAsk) (*public.Permissions, error) {
			answers, err := ask(ctx, &public.Question{Name: "Token", Instruction: "Look at it.",
				Prompts: []public.Prompt{{Text: "Code: "}, {Text: "Shown\a: ", Echo: true}}})
			if err != nil {
				return nil, err
			}
			p.note("answers %q", answers)
			if m.User != peerUser || answers[0] != "123456" {
				return nil, errors.New("no")
			}
			return nil, nil
		},
		AcceptEnv: func(name string) bool { return strings.HasPrefix(name, "ACC_") },
		Handler:   p.handle,
		Subsystems: map[string]func(*public.Session){
			"echo": func(s *public.Session) { io.Copy(s, s); s.Exit(0) },
		},
		MaxAuthTries: 20,
		Banner: func(m *public.ConnMeta) string {
			if m.User == "bob" {
				return "Welcome\r\nto \x1b[31mred\a grün\n"
			}
			return ""
		},
	}
	p.forwards()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	done := make(chan struct{})
	go func() { p.server.Serve(context.Background(), l); close(done) }()
	t.Cleanup(func() { p.server.Close(); <-done })
	return p
}

// handle runs a session.
func (p *peer) handle(s *public.Session) {
	if t, ok := s.PTY(); ok {
		p.note("pty %s %dx%d %dx%d modes %x", t.Term, t.Window.Columns, t.Window.Rows, t.Window.Width, t.Window.Height, t.Modes)
	}
	for _, e := range s.Environ() {
		p.note("env %s=%s", e.Name, e.Value)
	}
	s.OnWindowChange(func(w public.Window) {
		p.note("window %dx%d", w.Columns, w.Rows)
		fmt.Fprintf(s, "<window %dx%d>", w.Columns, w.Rows)
	})
	s.OnBreak(func(ms uint32) bool { fmt.Fprintf(s, "<break %d>", ms); return true })
	s.OnSignal(func(sig public.Signal) { p.note("signal %s", sig) })
	switch command := s.Command(); {
	case command == "" || command == "echo input":
		// Stands in for a shell: shows every byte, ends at ^D.
		fmt.Fprint(s, "ready>")
		buf := make([]byte, 1)
		for {
			if _, err := s.Read(buf); err != nil || buf[0] == 4 {
				break
			}
			fmt.Fprintf(s, "[%02x]", buf[0])
		}
		s.Exit(7)
	case strings.HasPrefix(command, "signal "):
		s.ExitSignal(public.ParseSignal(command[len("signal "):]), false, "it \x1b[31m died")
	case command == "vanish":
		s.Conn().Close()
	case command == "silent":
		s.Close()
	default:
		p.note("command %s", command)
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		s.OnEndOfWrite(cancel)
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.Stdout, cmd.Stderr = s, s.Stderr()
		in, _ := cmd.StdinPipe()
		go func() { io.Copy(in, s); in.Close() }()
		err := cmd.Run()
		var status *exec.ExitError
		switch {
		case err == nil:
			s.Exit(0)
		case errors.As(err, &status) && status.ExitCode() >= 0:
			s.Exit(status.ExitCode())
		default:
			s.ExitSignal("KILL", false, "")
		}
	}
}

// knownHosts is the line of a known_hosts file for the peer, under name.
func (p *peer) knownHosts(name string) string {
	return name + " " + string(public.MarshalAuthorizedKey(p.host.PublicKey()))
}

// name is what the peer is called in known_hosts.
func (p *peer) name() string { return "[127.0.0.1]:" + strconv.Itoa(p.port) }

// forwards has the peer forward all that it is asked for.
func (p *peer) forwards() {
	options, _ := keyfile.ParseOptions("", nil)
	var all sync.Map
	of := func(c *public.ServerConn) *forward.Server {
		f, _ := all.LoadOrStore(c, &forward.Server{
			Rules: &forward.Rules{Local: true, Remote: true, Key: options},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, addr)
			},
			Listen: func(ctx context.Context, network, addr string) (net.Listener, error) {
				var l net.ListenConfig
				return l.Listen(ctx, network, addr)
			},
		})
		return f.(*forward.Server)
	}
	p.server.Channels = map[string]func(context.Context, *public.ServerConn, *public.NewChannel){
		forward.DirectTCPIP: func(ctx context.Context, c *public.ServerConn, n *public.NewChannel) { of(c).DirectTCPIP(ctx, c, n) },
	}
	p.server.Requests = map[string]func(context.Context, *public.ServerConn, *public.GlobalRequest){
		forward.TCPIPForward: func(ctx context.Context, c *public.ServerConn, r *public.GlobalRequest) {
			of(c).TCPIPForward(ctx, c, r)
		},
		forward.CancelTCPIPForward: func(ctx context.Context, c *public.ServerConn, r *public.GlobalRequest) {
			of(c).CancelTCPIPForward(ctx, c, r)
		},
	}
}
