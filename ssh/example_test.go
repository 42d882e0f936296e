package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"

	"github.com/nacre-ssh/nacre/ssh"
)

func newKey() ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		log.Fatal(err)
	}
	return signer
}

// serve starts srv on loopback and returns its address and a function that
// ends it.
func serve(srv *ssh.Server) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(context.Background(), l)
	return l.Addr().String(), func() { srv.Close() }
}

// A server in ten lines, and a client that runs a command on it.
func Example() {
	hostKey, annsKey := newKey(), newKey()
	srv := &ssh.Server{
		HostKeys: []ssh.Signer{hostKey},
		PublicKey: func(_ context.Context, m *ssh.ConnMeta, k ssh.PublicKey) (*ssh.Permissions, error) {
			if m.User == "ann" && bytes.Equal(k.Marshal(), annsKey.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("not ann's key")
		},
		Handler: func(s *ssh.Session) { fmt.Fprintf(s, "hello %s, you said %q\n", s.User(), s.Command()) },
	}
	addr, stop := serve(srv)
	defer stop()

	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User:    "ann",
		Auth:    []ssh.AuthMethod{ssh.PublicKeys(annsKey)},
		HostKey: ssh.FixedHostKey(hostKey.PublicKey()),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Output(ctx, "good day")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(out))
	// Output: hello ann, you said "good day"
}

// The zero value lets nobody in and says so.
func ExampleServer_zeroValue() {
	err := (&ssh.Server{HostKeys: []ssh.Signer{newKey()}}).ListenAndServe(context.Background())
	fmt.Println(err)
	_, err = ssh.Dial(context.Background(), "tcp", "127.0.0.1:1", &ssh.ClientConfig{User: "ann"})
	fmt.Println(err != nil)
	// Output:
	// ssh: Server has no way to log in; set PublicKey, Password, KeyboardInteractive, None or Auth
	// true
}

func passwordServer() (string, ssh.PublicKey, func()) {
	hostKey := newKey()
	addr, stop := serve(&ssh.Server{
		HostKeys: []ssh.Signer{hostKey},
		Password: func(_ context.Context, m *ssh.ConnMeta, password []byte) (*ssh.Permissions, error) {
			if string(password) != "correct horse" {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
		KeyboardInteractive: func(ctx context.Context, m *ssh.ConnMeta, ask ssh.AuthAsk) (*ssh.Permissions, error) {
			answers, err := ask(ctx, &ssh.Question{Prompts: []ssh.Prompt{{Text: "Code: ", Echo: true}}})
			if err != nil || answers[0] != "123456" {
				return nil, errors.New("wrong code")
			}
			return nil, nil
		},
		Subsystems: map[string]func(*ssh.Session){
			"upper": func(s *ssh.Session) {
				b, _ := io.ReadAll(s)
				io.WriteString(s, strings.ToUpper(string(b)))
			},
		},
		Handler: func(s *ssh.Session) {
			switch s.Command() {
			case "fail":
				io.WriteString(s.Stderr(), "it failed\n")
				s.Exit(3)
			case "tty":
				t, ok := s.PTY()
				fmt.Fprintf(s, "%v %s %dx%d", ok, t.Term, t.Window.Columns, t.Window.Rows)
			}
		},
	})
	return addr, hostKey.PublicKey(), stop
}

func ExamplePassword() {
	addr, host, stop := passwordServer()
	defer stop()
	c, err := ssh.Dial(context.Background(), "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.Password("correct horse")}, HostKey: ssh.FixedHostKey(host)})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.User())
	// Output: ann
}

func ExampleKeyboardInteractive() {
	addr, host, stop := passwordServer()
	defer stop()
	c, err := ssh.Dial(context.Background(), "tcp", addr, &ssh.ClientConfig{
		User: "ann", HostKey: ssh.FixedHostKey(host),
		Auth: []ssh.AuthMethod{ssh.KeyboardInteractive(func(_ context.Context, q *ssh.Question) ([]string, error) {
			var answers []string
			for _, p := range q.Prompts {
				fmt.Println(p.Text)
				answers = append(answers, "123456")
			}
			return answers, nil
		})}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Output: Code:
}

// A status other than 0 is an error that tells it.
func ExampleClientSession_Run() {
	addr, host, stop := passwordServer()
	defer stop()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.Password("correct horse")}, HostKey: ssh.FixedHostKey(host)})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var stderr bytes.Buffer
	s.Stderr = &stderr
	err = s.Run(ctx, "fail")
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.Status, stderr.String())
	}
	// Output: 3 it failed
}

// Begin sends the terminal, the environment and the start in one flight.
func ExampleClientSession_Begin() {
	addr, host, stop := passwordServer()
	defer stop()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.Password("correct horse")}, HostKey: ssh.FixedHostKey(host)})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	s.Stdout = &out
	err = s.Begin(ctx, &ssh.Program{
		PTY:     &ssh.PTY{Term: "xterm", Window: ssh.Window{Columns: 80, Rows: 24}},
		Env:     []ssh.Env{{Name: "LANG", Value: "C.UTF-8"}},
		Command: "tty",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Wait(ctx), out.String())
	// Output: <nil> true xterm 80x24
}

func ExampleClientSession_RequestSubsystem() {
	addr, host, stop := passwordServer()
	defer stop()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.Password("correct horse")}, HostKey: ssh.FixedHostKey(host)})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	s.Stdin, s.Stdout = strings.NewReader("quiet"), &out
	if err := s.RequestSubsystem(ctx, "upper"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Wait(ctx), out.String())
	// Output: <nil> QUIET
}

// A server may carry connections, here to an echo service of its own.
func ExampleClient_Dial() {
	hostKey, user := newKey(), newKey()
	addr, stop := serve(&ssh.Server{
		HostKeys: []ssh.Signer{hostKey},
		PublicKey: func(context.Context, *ssh.ConnMeta, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, nil
		},
		Channels: map[string]func(context.Context, *ssh.ServerConn, *ssh.NewChannel){
			"direct-tcpip": func(_ context.Context, c *ssh.ServerConn, n *ssh.NewChannel) {
				ch, err := n.Accept(nil)
				if err != nil {
					return
				}
				c.Flush()
				io.Copy(ch, ch)
				ch.Close()
			},
		},
	})
	defer stop()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.PublicKeys(user)}, HostKey: ssh.FixedHostKey(hostKey.PublicKey())})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conn, err := c.Dial(ctx, "tcp", "echo.example.org:7")
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(conn, "there and back")
	b := make([]byte, 14)
	io.ReadFull(conn, b)
	fmt.Println(string(b), conn.RemoteAddr())
	conn.Close()
	// Output: there and back echo.example.org:7
}

// A global request of one's own.
func ExampleConn_SendRequest() {
	hostKey, user := newKey(), newKey()
	addr, stop := serve(&ssh.Server{
		HostKeys: []ssh.Signer{hostKey},
		PublicKey: func(context.Context, *ssh.ConnMeta, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, nil
		},
		Requests: map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest){
			"double@example.org": func(_ context.Context, _ *ssh.ServerConn, r *ssh.GlobalRequest) {
				r.ReplyLater(true, append(r.Payload, r.Payload...))
			},
		},
		Handler: func(*ssh.Session) {},
	})
	defer stop()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", addr, &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.PublicKeys(user)}, HostKey: ssh.FixedHostKey(hostKey.PublicKey())})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ok, reply, err := c.SendRequest(ctx, "double@example.org", true, []byte("twice "))
	fmt.Println(ok, string(reply), err)
	// Output: true twice twice  <nil>
}

func ExampleParseAuthorizedKey() {
	line := append([]byte(`restrict,command="date" `), ssh.MarshalAuthorizedKey(newKey().PublicKey())...)
	key, _, options, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Type(), options)
	// Output: ssh-ed25519 [restrict command="date"]
}
