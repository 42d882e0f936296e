//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/ssh"
)

// Run is the life of a network room: it is told its Setup over the control link,
// takes connections, and ends with the link, or once it is drained, or, if the
// Setup says so, with its first connection.
func Run(ctx context.Context, control *privsep.Conn, opt Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var r *Room
	var wg sync.WaitGroup
	err := control.Serve(ctx, func(ctx context.Context, in *privsep.Incoming) error {
		switch in.Number {
		case privsep.NumSetup:
			var m privsep.Setup
			if err := in.Decode(&m); err != nil {
				return err
			}
			var err error
			r, err = New(&m, opt)
			return err
		case privsep.NumTake:
			return take(ctx, r, in, control, &wg)
		case privsep.NumDrain:
			go func() {
				wg.Wait()
				control.Close()
			}()
			return nil
		}
		return fmt.Errorf("%w: %s to a network room", privsep.ErrProtocol, in.Number)
	})
	cancel()
	wg.Wait()
	return err
}

var errNoSetup = errors.New("network: a connection before the setup")

// take begins to serve a connection.
func take(ctx context.Context, r *Room, in *privsep.Incoming, control *privsep.Conn, wg *sync.WaitGroup) error {
	var m privsep.Take
	if err := in.Decode(&m); err != nil {
		return err
	}
	if r == nil {
		return errNoSetup
	}
	var start *ssh.Start
	if len(m.Start) > 0 {
		var err error
		if start, err = ssh.ParseStart(m.Start); err != nil {
			return err
		}
	}
	files := in.Files
	in.Files = nil
	nc, err := connOf(files[0])
	files[0].Close()
	if err != nil {
		files[1].Close()
		return err
	}
	link, err := privsep.NewConn(files[1])
	if err != nil {
		nc.Close()
		return err
	}
	wg.Go(func() {
		r.Serve(context.WithoutCancel(ctx), link, nc, start)
		if r.setup.Once {
			control.Close()
		}
	})
	return nil
}

// connOf is [net.FileConn] that leaves TCP's own probes as they are, which that
// turns on and makes frequent.
func connOf(f *os.File) (net.Conn, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var probes net.KeepAliveConfig
	known := false
	_ = rc.Control(func(fd uintptr) { probes, known = keepAlive(int(fd)) })
	nc, err := net.FileConn(f)
	if t, ok := nc.(*net.TCPConn); ok && known {
		_ = t.SetKeepAliveConfig(probes)
		if !probes.Enable {
			_ = t.SetKeepAlive(false)
		}
	}
	return nc, err
}

// Main is the process of a network room: it has locked itself up and holds
// nothing but its control link.
func Main(control *os.File, opt Options) error {
	link, err := privsep.NewConn(control)
	if err != nil {
		return err
	}
	return Run(context.Background(), link, opt)
}
