package ssh

import (
	"fmt"
	"net"
	"testing"
	"time"
)

func tcp(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s), Port: 1} }

// KEX-5: exchanges over finite fields are counted by source and in total, and
// what is remembered is bounded.
func TestKEX5_FiniteFieldLimit(t *testing.T) {
	var l finiteLimit
	now := time.Unix(1000, 0)
	for i := range FiniteFieldBurst + 1 {
		if err := l.take(tcp("192.0.2.1"), now); err != nil != (i == FiniteFieldBurst) {
			t.Errorf("exchange %d: %v", i+1, err)
		}
	}
	if err := l.take(tcp("192.0.2.2"), now); err != nil {
		t.Errorf("another source: %v", err)
	}
	now = now.Add(time.Second / FiniteFieldRate)
	if l.take(tcp("192.0.2.1"), now) != nil || l.take(tcp("192.0.2.1"), now) == nil {
		t.Error("after a while there is one more, and one only")
	}
	// A network of 64 bits is one source.
	l = finiteLimit{}
	for i := range FiniteFieldBurst + 1 {
		if err := l.take(tcp(fmt.Sprintf("2001:db8::%x", i+1)), now); err != nil != (i == FiniteFieldBurst) {
			t.Errorf("address %d of one network: %v", i+1, err)
		}
	}
	// In total.
	l = finiteLimit{}
	granted := 0
	for i := range 2 * finiteAll * FiniteFieldBurst {
		if l.take(tcp(fmt.Sprintf("10.0.%d.%d", i/250, i%250)), now) == nil {
			granted++
		}
	}
	if granted != finiteAll*FiniteFieldBurst {
		t.Errorf("%d in total, want %d", granted, finiteAll*FiniteFieldBurst)
	}
	for i := range finiteSources + 10 {
		l.take(tcp(fmt.Sprintf("11.%d.%d.1", i/250, i%250)), now.Add(time.Duration(i)))
	}
	if len(l.sources) != finiteSources {
		t.Errorf("%d sources are remembered, want %d", len(l.sources), finiteSources)
	}
}
