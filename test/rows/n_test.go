package rows

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// muffler is a TCP proxy whose link can go dead, both ways, without a word.
func (p *place) muffler(to int) (port int, dead *atomic.Bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { l.Close() })
	dead = new(atomic.Bool)
	over := p.Context().Done()
	pass := func(from, to net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if dead.Load() {
				<-over
			}
			to.Write(buf[:n])
			if err != nil {
				to.Close()
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", at("127.0.0.1", to))
			if err != nil {
				c.Close()
				continue
			}
			go pass(c, s)
			go pass(s, c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, dead
}

// N01: a server that hears nothing asks, and ends the connection.
func TestN01_ClientAlive(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s := p.start(server, "ClientAliveInterval 1", "ClientAliveCountMax 2")
		port, dead := p.muffler(s.Port)
		p.begin(client, "-F", p.known(s), "-p", fmt.Sprint(port), "host", "echo here; sleep 1000")
		p.await("the login", func() bool { return strings.Contains(s.Log(), "Accepted publickey") })
		dead.Store(true)
		p.await("the server's end", func() bool { return strings.Contains(s.Log(), "Timeout, client not responding") })
	})
}

// N02: a client that hears nothing asks, and gives up with these words.
func TestN02_ServerAlive(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s := p.start(server)
		port, dead := p.muffler(s.Port)
		j := p.begin(client, "-F", p.known(s, "ServerAliveInterval 1", "ServerAliveCountMax 2", "TCPKeepAlive yes"), "-p", fmt.Sprint(port), "host", "echo here; sleep 1000")
		p.await("the program", func() bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.out.String() == "here\n"
		})
		dead.Store(true)
		if code := j.code(); code != 255 || !strings.Contains(j.said(), "Timeout, server 127.0.0.1 not responding.") {
			t.Errorf("status %d: %s", code, j.said())
		}
	})
}

// N03: the client's word in a server's file is an error that names the right
// one.
func TestN03_WrongSide(t *testing.T) {
	p := newPlace(t)
	conf := p.file("sshd_config", "ServerAliveCountMax 3\n")
	o := p.run(rig.ToolByName("nacre").Program(p.w), "sshd", "-t", "-f", conf)
	if o.code != 255 || !strings.Contains(o.err, "line 1: Bad configuration option: ServerAliveCountMax") || !strings.Contains(o.err, "ClientAliveCountMax") {
		t.Errorf("%+v", o)
	}
}
