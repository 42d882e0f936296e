package rows

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// F01, F02 and H02, H03: through a SOCKS tunnel of every kind, and through
// forwards of both directions, comes what was sent, while keys are exchanged
// again and again.
func TestF01_Tunnel(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s := p.start(server)
		conf := p.known(s, "RekeyLimit 16M")
		socks, remote, back, local := p.free(), p.free(), p.free(), p.free()
		far := p.far()
		j := p.begin(client, "-F", conf, "-vTN", "-D", fmt.Sprint(socks), "-R", fmt.Sprint(back),
			"-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, far), "-L", fmt.Sprintf("%d:127.0.0.1:%d", local, far), "host")
		j.await("Authenticated to 127.0.0.1")
		j.await(fmt.Sprintf("Local connections to LOCALHOST:%d", socks))
		for _, port := range []int{socks, remote, back, local} {
			p.await("the ports", func() bool { return listening(port) || over(j.done) })
		}
		n := big()
		url := func(host string, port int) string { return fmt.Sprintf("http://%s:%d/%d", host, port, n) }
		p.fetch(n, url("127.0.0.1", local))
		p.fetch(n, url("127.0.0.1", remote))
		for _, port := range []int{socks, back} {
			proxy := fmt.Sprintf("127.0.0.1:%d", port)
			n = big()
			p.fetch(n, "--socks5-hostname", proxy, url("localhost", far))
			n = 1 << 20
			p.fetch(n, "--socks4", proxy, url("127.0.0.1", far))
			p.fetch(n, "--socks4a", proxy, url("localhost", far))
			p.fetch(n, "--socks5", proxy, url("127.0.0.1", far))
		}
		if got := strings.Count(j.said(), "SSH2_MSG_NEWKEYS sent"); got < 8 {
			t.Errorf("keys were exchanged %d times only\n%.2000s", got, j.said())
		}
		if strings.Contains(j.said(), "Sending command") {
			t.Error("a program was started at the other side")
		}
	})
}

// F03: the name goes to the server and is looked up there.
func TestF03_NamesAreResolvedThere(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s := p.start(server)
		socks := p.free()
		j := p.begin(client, "-F", p.known(s), "-TND", fmt.Sprint(socks), "host")
		p.await("the port", func() bool { return listening(socks) || over(j.done) })
		if o := p.run("curl", "-sS", "-m", "60", "--socks5-hostname", fmt.Sprintf("127.0.0.1:%d", socks), "http://far.invalid/"); o.code == 0 {
			t.Errorf("a name that is nowhere was found: %+v", o)
		}
		p.await("the server's word", func() bool { return strings.Contains(s.Log(), "connect_to far.invalid: unknown host (") })
	})
}

// F04: what browsers do: many at once, some that say nothing, some that break
// off. Nothing of it stays.
func TestF04_ManyAtOnce(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s := p.start(server)
		far, socks := p.far(), p.free()
		control := p.dir + "/c"
		conf := p.known(s, "ControlPath "+control)
		j := p.begin(client, "-F", conf, "-MTND", fmt.Sprint(socks), "host")
		proxy := fmt.Sprintf("127.0.0.1:%d", socks)
		p.await("the port", func() bool { return listening(socks) || over(j.done) })
		var wait sync.WaitGroup
		var half []net.Conn
		for i := range 20 {
			c, err := net.Dial("tcp", proxy)
			if err != nil {
				t.Fatal(err)
			}
			switch i % 3 {
			case 0: // says nothing
				half = append(half, c)
				continue
			case 1: // breaks off in the middle of its request
				c.Write([]byte{5, 1, 0, 5, 1})
			case 2: // breaks off with its connection open
				fmt.Fprintf(c, "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01%c%cGET /100000000 HTTP/1.0\r\n\r\n", far>>8, far&0xff)
				c.Read(make([]byte, 20))
			}
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		for range 100 {
			wait.Go(func() {
				if o := p.run("curl", "-sS", "-m", "100", "-o", "/dev/null", "--socks5-hostname", proxy, fmt.Sprintf("http://localhost:%d/1000", far)); o.code != 0 {
					t.Errorf("%+v", o)
				}
			})
		}
		wait.Wait()
		for _, c := range half {
			c.Close()
		}
		if client == "ssh" { // the stock client of these years has no such order
			p.await("that no channel stays", func() bool {
				o := p.run("ssh", "-F", conf, "-O", "channels", "host")
				return o.code == 0 && !strings.Contains(o.out, "  #")
			})
		}
	})
}
