package ssh

import (
	"context"
	"errors"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/rawio"
	public "github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// localForward is -L, remoteForward -R, dynamicForward -D.
func (r *run) localForward(v string) error {
	f, err := sshconfig.ParseForward(v, false, false)
	if err != nil {
		return r.badForward("Bad local forwarding specification '%s'", v)
	}
	r.conf.AddLocal(f)
	return nil
}

func (r *run) remoteForward(v string) error {
	f, err := sshconfig.ParseForward(v, false, true)
	if err != nil {
		f, err = sshconfig.ParseForward(v, true, true)
	}
	if err != nil {
		return r.badForward("Bad remote forwarding specification '%s'", v)
	}
	r.conf.AddRemote(f)
	return nil
}

func (r *run) dynamicForward(v string) error {
	f, err := sshconfig.ParseForward(v, true, false)
	if err != nil {
		return r.badForward("Bad dynamic forwarding specification '%s'", v)
	}
	r.conf.AddDynamic(f)
	return nil
}

func (r *run) badForward(format, v string) error {
	r.io.Errorf(format, v)
	return exit(failure)
}

// stdioForward is -W: it wants no session, no configured forwards, and an end
// when it cannot be had.
func (r *run) stdioForward(v string) error {
	if r.stdio != nil {
		return fault("stdio forward already specified")
	}
	f, err := sshconfig.ParseForward(v, true, false)
	if err != nil {
		return r.badForward("Bad stdio forwarding specification '%s'", v)
	}
	if f.ListenPath != "" {
		return fault("-W: " + client.ErrUnixForward.Error())
	}
	r.stdio = &forward.Listen{Host: f.ListenHost, Port: uint16(f.ListenPort)}
	r.requestTTY(sshconfig.TTYNo)
	return r.force("SessionType=none", func(c *sshconfig.Client) { c.SessionType = sshconfig.SessionNone })
}

// stdioDefaults are what -W changes where nobody has said otherwise. They count
// from the beginning, so that forwards are cleared.
func (r *run) stdioDefaults() {
	if r.stdio == nil {
		return
	}
	if !r.conf.IsSet("ExitOnForwardFailure") {
		r.conf.ExitOnForwardFailure = true
	}
	if !r.conf.IsSet("ClearAllForwardings") {
		r.conf.ClearAllForwardings = true
		r.conf.LocalForward, r.conf.RemoteForward, r.conf.DynamicForward = nil, nil, nil
	}
}

// startForwards sets up what the configuration asks for.
func (l *loop) startForwards(ctx context.Context) error {
	l.forwards.Use(ctx, l.client)
	return l.forwards.Start(l.conf, l.fail)
}

// fail ends the connection because of something without which the person does
// not want it.
func (l *loop) fail(err error) {
	l.fatal.CompareAndSwap(nil, &err)
	l.client.Close()
}

// stdioStream is standard input and output as one stream.
type stdioStream struct {
	*rawio.File // standard input
	out         *rawio.File
}

func (s stdioStream) TryWritev(bufs [][]byte) (int, error) { return s.out.TryWritev(bufs) }
func (s stdioStream) Write(p []byte) (int, error)          { return s.out.Write(p) }
func (s stdioStream) CloseWrite() error                    { return s.out.CloseWrite() }

func (s stdioStream) Close() error { return errors.Join(s.File.Close(), s.out.Close()) }

// startStdio opens the channel of -W. Its end is the program's.
func (l *loop) startStdio(ctx context.Context) error {
	l.log.Debug1("channel_connect_stdio_fwd: %s:%d", l.stdio.Host, l.stdio.Port)
	l.open.Do(l.openStreams)
	in := l.streams.in
	if in == nil {
		in = devNull()
	}
	r := forward.NewRelay(stdioStream{in, l.streams.out})
	o := forward.Open{Host: l.stdio.Host, Port: l.stdio.Port, OriginHost: "127.0.0.1", OriginPort: 65535}
	ch, err := l.client.OpenChannelFunc(ctx, forward.DirectTCPIP, o.Append(nil), r.Setup)
	if err != nil {
		var open *public.OpenChannelError
		if errors.As(err, &open) {
			l.log.Info("channel %d: open failed: %s", ch.ID(), client.OpenReason(open))
			return client.Fatal("stdio forwarding failed")
		}
		return err
	}
	go func() {
		defer l.guard()
		r.Run()
		l.log.Debug1("stdio forwarding: done")
		l.stdioDone.Store(true)
		l.client.Close()
	}()
	return nil
}
