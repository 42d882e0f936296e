//go:build unix

package ssh

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// plainPacket frames a payload as before key exchange.
func plainPacket(payload []byte) []byte {
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	b := wire.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(b, byte(pad)), payload...)
	return append(b, make([]byte, pad)...)
}

// TestServersThatFail compares the words for what can go wrong before login
// with those of the stock client. P stands for the port.
func TestServersThatFail(t *testing.T) {
	const ident = "SSH-2.0-peer\r\n"
	bye := wire.Disconnect{Reason: wire.ReasonByApplication, Description: "go \x1b[1maway\a"}
	odd := wire.KexInit{Kex: []string{"no-such-kex"}, HostKey: []string{"no-such-key"}}
	for _, c := range []struct {
		name  string
		speak func(c *net.TCPConn)
		want  string
	}{
		{"close", func(c *net.TCPConn) {
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}, "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port P\n"},
		{"reset", func(c *net.TCPConn) {
			c.Read(make([]byte, 1))
			c.SetLinger(0)
		}, "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 127.0.0.1 port P\n"},
		{"old", say("SSH-1.5-peer\r\n"),
			"Protocol major versions differ: 2 vs. 1\nbanner exchange: Connection to 127.0.0.1 port P: could not read protocol version\n"},
		{"malformed", say("SSH-peer\x1b\r\n"),
			"Bad remote protocol version identification: 'SSH-peer\\033'\nbanner exchange: Connection to 127.0.0.1 port P: invalid format\n"},
		{"nul", say("SSH-2.0-pe\x00er\r\n"),
			"kex_exchange_identification: banner line contains invalid characters\nbanner exchange: Connection to 127.0.0.1 port P: invalid format\n"},
		{"long", say("SSH-2.0-" + strings.Repeat("x", 9000) + "\r\n"),
			"kex_exchange_identification: banner line too long\nbanner exchange: Connection to 127.0.0.1 port P: invalid format\n"},
		{"disconnect", say(ident + string(plainPacket(bye.Append(nil)))),
			"Received disconnect from 127.0.0.1 port P:11: go \\033[1maway\\007\nDisconnected from 127.0.0.1 port P\n"},
		{"length", say(ident + strings.Repeat("A", 64)),
			"Bad packet length 1094795585.\nssh_dispatch_run_fatal: Connection to 127.0.0.1 port P: message authentication code incorrect\n"},
		{"kex", say(ident + string(plainPacket(odd.Append(nil)))),
			"Unable to negotiate with 127.0.0.1 port P: no matching key exchange method found. Their offer: no-such-kex\n"},
		{"silent", func(c *net.TCPConn) { io.Copy(io.Discard, c) },
			"Connection timed out during banner exchange\nConnection to 127.0.0.1 port P timed out\n"},
		{"slow exchange", say(ident),
			"Connection timed out during key exchange\nConnection to 127.0.0.1 port P timed out\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err == nil {
					c.speak(conn.(*net.TCPConn))
					conn.Close()
				}
			}()
			port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
			bin := program(t)
			timeout := "60"
			if strings.Contains(c.want, "timed out") {
				timeout = "1"
			}
			cmd := exec.Command(bin, "-F", "none", "-o", "IdentityFile=none", "-o", "ConnectTimeout="+timeout, "-p", port, "x@127.0.0.1", "true")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != 255 {
				t.Errorf("exit status %d", got)
			}
			got := strings.ReplaceAll(strings.ReplaceAll(stderr.String(), "\r\n", "\n"), "port "+port, "port P")
			if got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// say sends text and then waits for the client to go.
func say(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		io.WriteString(c, text)
		c.SetReadDeadline(time.Now().Add(time.Minute))
		io.Copy(io.Discard, c)
	}
}
