package rows

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// greeter is a server that greets, takes what comes until its end, and says
// how much that was: half-closes and all.
func (p *place) greeter() (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "220 far\r\n")
				n, _ := io.Copy(io.Discard, c)
				fmt.Fprintf(c, "%d bytes\r\n", n)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// greeted connects, says n bytes, ends its side and reads on.
func (p *place) greeted(addr string, n int) {
	p.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		p.Errorf("%s: %v", addr, err)
		return
	}
	defer c.Close()
	r := bufio.NewReader(c)
	if line, _ := r.ReadString('\n'); line != "220 far\r\n" {
		p.Errorf("%s: greeted with %q", addr, line)
	}
	c.Write(make([]byte, n))
	c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(r); string(rest) != fmt.Sprintf("%d bytes\r\n", n) || err != nil {
		p.Errorf("%s: after our end came %q, %v", addr, rest, err)
	}
}

func at(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// reaches reports whether somebody listens there.
func reaches(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// other is an address of this machine that is not the one people call
// localhost, and yet on the loopback.
const other = "127.0.0.2"

// H01 to H04: local forwards by every form of their bind address, and remote
// ones, each with the end of one direction while the other goes on.
func TestH04_BindAddresses(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s, far := p.start(server), p.greeter()
		to := fmt.Sprintf(":127.0.0.1:%d", far)
		var port [8]int
		for i := range port {
			port[i] = p.free()
		}
		spec := func(i int, bind string) string { return bind + strconv.Itoa(port[i]) + to }
		j := p.begin(client, "-F", p.known(s), "-TN",
			"-L", spec(0, ""), "-L", spec(1, "127.0.0.1:"), "-L", spec(2, "localhost:"), "-L", spec(3, "*:"), "-L", spec(4, ":"), "-L", spec(5, "[::1]:"),
			"-R", spec(6, ""), "-R", spec(7, "127.0.0.1:"), "host")
		p.await("the last port", func() bool { return listening(port[7]) || over(j.done) })
		for i, wide := range []bool{false, false, false, true, true} {
			p.greeted(at("127.0.0.1", port[i]), 100000+i)
			if got := reaches(at(other, port[i])); got != wide {
				t.Errorf("forward %d listens on other addresses: %v", i, got)
			}
		}
		if reaches(at("127.0.0.1", port[5])) {
			t.Error("[::1] listens on 127.0.0.1")
		}
		if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
			l.Close()
			p.greeted(at("::1", port[5]), 5)
			p.greeted(at("::1", port[2]), 5)
		}
		p.greeted(at("127.0.0.1", port[6]), 3<<20)
		p.greeted(at("127.0.0.1", port[7]), 0)
	})
}

// H05: GatewayPorts on both sides.
func TestH05_GatewayPorts(t *testing.T) {
	for _, value := range []string{"no", "yes", "clientspecified"} {
		t.Run(value, func(t *testing.T) {
			eachRole(t, func(p *place, client, server string) {
				s, far := p.start(server, "GatewayPorts "+value), p.greeter()
				plain, star, here := p.free(), p.free(), p.free()
				to := fmt.Sprintf(":127.0.0.1:%d", far)
				j := p.begin(client, "-F", p.known(s), "-gTN", "-L", fmt.Sprint(here)+to, "-R", fmt.Sprint(plain)+to, "-R", fmt.Sprintf("*:%d", star)+to, "host")
				p.await("the last port", func() bool { return listening(star) || over(j.done) })
				p.greeted(at("127.0.0.1", plain), 1)
				p.greeted(at("127.0.0.1", star), 1)
				if got, want := reaches(at(other, plain)), value == "yes"; got != want {
					t.Errorf("a port alone listens on other addresses: %v", got)
				}
				if got, want := reaches(at(other, star)), value != "no"; got != want {
					t.Errorf("* listens on other addresses: %v", got)
				}
				if !reaches(at(other, here)) {
					t.Error("-g does not listen on other addresses")
				}
			})
		})
	}
}

// H01 and H06: ports that cannot be had, ports that the server chooses, what
// ends the program and what does not, and the orders that add and cancel.
func TestH06_Failures(t *testing.T) {
	eachRole(t, func(p *place, client, server string) {
		s, far := p.start(server), p.greeter()
		conf := p.known(s)
		to := fmt.Sprintf(":127.0.0.1:%d", far)
		taken := p.greeter() // a forward that has one of its addresses is none that failed
		if l, err := net.Listen("tcp", at("::1", taken)); err == nil {
			defer l.Close()
		}
		failed := fmt.Sprintf("bind [127.0.0.1]:%d: Address already in use\nchannel_setup_fwd_listener_tcpip: cannot listen to port: %d\nCould not request local forwarding.\n", taken, taken)
		local := fmt.Sprint(taken) + to
		if o := p.run(client, "-F", conf, "-L", local, "host", "echo on"); o.code != 0 || o.out != "on\n" || o.err != failed {
			t.Errorf("%+v", o)
		}
		if o := p.run(client, "-F", conf, "-o", "ExitOnForwardFailure=yes", "-L", local, "host", "echo on"); o.code != 255 || o.out != "" || o.err != failed {
			t.Errorf("%+v", o)
		}
		failed = fmt.Sprintf("remote port forwarding failed for listen port %d\n", taken)
		if o := p.run(client, "-F", conf, "-R", local, "host", "echo on; sleep 1"); o.code != 0 || o.out != "on\n" || !strings.Contains(o.err, "Warning: "+failed) {
			t.Errorf("%+v", o)
		}
		if o := p.run(client, "-F", conf, "-o", "ExitOnForwardFailure=yes", "-N", "-R", local, "host"); o.code != 255 || !strings.Contains(o.err, "Error: "+failed) {
			t.Errorf("%+v", o)
		}
		if o := p.run(client, "-F", conf, "-o", "ClearAllForwardings=yes", "-o", "ExitOnForwardFailure=yes", "-L", local, "host", "echo on"); o.code != 0 || o.err != "" {
			t.Errorf("%+v", o)
		}
		// Low ports are root's, here as on the server.
		if o := p.run("setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all", binOf(p, client), "-F", conf, "-L", "1000"+to, "host", "true"); o.code != 0 ||
			o.err != "bind [127.0.0.1]:1000: Permission denied\nchannel_setup_fwd_listener_tcpip: cannot listen to port: 1000\nCould not request local forwarding.\n" {
			t.Errorf("%+v", o)
		}
		if o := p.run(client, "-F", conf, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "1000"+to, "host"); o.code != 255 {
			t.Errorf("%+v", o)
		}

		control := p.dir + "/c"
		j := p.begin(client, "-F", conf, "-MN", "-S", control, "-R", "0"+to, "host")
		j.await("Allocated port ")
		var port int
		fmt.Sscanf(j.said(), "Allocated port %d for remote forward to 127.0.0.1:", &port)
		p.greeted(at("127.0.0.1", port), 10)
		order := func(argv ...string) outcome {
			t.Helper()
			return p.run(append([]string{client, "-F", conf, "-S", control}, argv...)...)
		}
		p.await("the master", func() bool { return order("-O", "check", "host").code == 0 })
		add := p.free()
		if o := order("-O", "forward", "-L", fmt.Sprint(add)+to, "host"); o.code != 0 {
			t.Errorf("%+v", o)
		}
		p.greeted(at("127.0.0.1", add), 10)
		for _, want := range []bool{true, false} {
			o := order("-O", "cancel", "-L", fmt.Sprint(add)+to, "host")
			if o.code != 0 || strings.Contains(o.err, "port not forwarded") == want {
				t.Errorf("cancelled, %v: %+v", want, o)
			}
		}
		if reaches(at("127.0.0.1", add)) {
			t.Error("is listened on after the cancel")
		}
		o := order("-O", "forward", "-R", "0:127.0.0.1:1", "host")
		if n, err := strconv.Atoi(strings.TrimSpace(o.out)); err != nil || !reaches(at("127.0.0.1", n)) {
			t.Errorf("%+v", o)
		}
		if o := order("-O", "exit", "host"); o.code != 0 || o.err != "Exit request sent.\n" {
			t.Errorf("%+v", o)
		}
		j.code()
		p.await("the end of the forward", func() bool { return !reaches(at("127.0.0.1", port)) })
	})
}

func binOf(p *place, client string) string {
	if client == stock {
		return stock
	}
	return p.dir + "/bin/ssh"
}

// GLB-5: what the server's configuration and the key's options refuse, with the
// words of the refusal.
func TestH_ServerRefuses(t *testing.T) {
	for _, c := range []struct{ config, spec, want string }{
		{"AllowTcpForwarding no", "-W", "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"},
		{"AllowTcpForwarding remote", "-W", "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"},
		{"DisableForwarding yes", "-W", "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"},
		{"PermitOpen 127.0.0.1:1", "-W", "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"},
		{"AllowTcpForwarding local", "-R", "Error: remote port forwarding failed for listen port "},
		{"PermitListen none", "-R", "Error: remote port forwarding failed for listen port "},
		{"DisableForwarding yes", "-R", "Error: remote port forwarding failed for listen port "},
	} {
		t.Run(c.config+c.spec, func(t *testing.T) {
			eachRole(t, func(p *place, client, server string) {
				s, far := p.start(server, c.config), p.greeter()
				argv := []string{client, "-F", p.known(s), "-o", "ExitOnForwardFailure=yes", "-W", at("127.0.0.1", far), "host"}
				if c.spec == "-R" {
					argv = append(argv[:5:5], "-N", "-R", fmt.Sprintf("%d:127.0.0.1:%d", p.free(), far), "host")
				}
				if o := p.run(argv...); o.code != 255 || !strings.HasPrefix(o.err, c.want) {
					t.Errorf("%+v\n%s", o, s.Log())
				}
			})
		})
	}
}
