package rows

import (
	"net"
	"strconv"
	"testing"
)

// free is a port that nobody listens on.
func (p *place) free() int {
	p.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// K01: one server on several ports.
func TestK01_SeveralPorts(t *testing.T) {
	p := newPlace(t)
	second := p.free()
	s := p.start("nacre", "Port "+strconv.Itoa(second))
	for _, port := range []int{s.Port, second} {
		if o := p.run(stock, "-F", p.toServer(s, port), "host", "echo $SSH_CONNECTION | cut -d' ' -f4"); o.code != 0 || o.out != strconv.Itoa(port)+"\n" {
			t.Errorf("port %d: %+v\n%s", port, o, s.Log())
		}
	}
}
