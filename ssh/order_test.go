package ssh_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/nacre-ssh/nacre/ssh"
)

// A program whose Start waits for it finds what global requests before it asked
// for.
func TestSettled(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	ran := make(chan bool, 1)
	var handled atomic.Bool
	s := &ssh.Server{
		HostKeys: []ssh.Signer{newKey()},
		Handler:  func(*ssh.Session) { ran <- handled.Load() },
		Start:    func(s *ssh.Session) error { return s.Conn().Settled(s.Context()) },
		Password: func(context.Context, *ssh.ConnMeta, []byte) (*ssh.Permissions, error) { return nil, nil },
		Requests: map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest){
			"slow": func(_ context.Context, _ *ssh.ServerConn, r *ssh.GlobalRequest) {
				close(asked)
				<-release
				handled.Store(true)
				r.Reply(true, nil)
			},
		},
	}
	c, _ := serveWith(t, s, nil)
	go c.SendRequest(t.Context(), "slow", true, nil)
	<-asked
	one, err := c.NewSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() { started <- one.Start(t.Context(), "x") }()
	// A round trip more, in which a handler that does not wait would run.
	if _, err := c.NewSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ran:
		t.Error("the program ran before the answer")
	default:
	}
	close(release)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if !<-ran {
		t.Error("the program ran before the answer")
	}
}
