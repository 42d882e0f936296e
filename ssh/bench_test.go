//go:build unix

package ssh

import (
	"context"
	"io"
	"runtime"
	"syscall"
	"testing"
)

// zeroSource gives n bytes without making them.
type zeroSource struct{ n int64 }

func (s *zeroSource) WaitRead() error                     { return nil }
func (s *zeroSource) TryReadv(bufs [][]byte) (int, error) { return s.Readv(bufs) }
func (s *zeroSource) Readv(bufs [][]byte) (int, error) {
	n := 0
	for _, b := range bufs {
		c := int(min(int64(len(b)), s.n))
		s.n -= int64(c)
		n += c
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// countSink takes everything at once.
type countSink struct{ n int64 }

func (s *countSink) TryWritev(bufs [][]byte) (int, error) {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	s.n += int64(n)
	return n, nil
}
func (s *countSink) Write(p []byte) (int, error) { s.n += int64(len(p)); return len(p), nil }
func (s *countSink) CloseWrite() error           { return nil }

func cpuTime() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// moveData sends n bytes from the client to the server over one session.
func moveData(t testing.TB, c *Client, n int64) {
	s, err := c.NewSession(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Stdin = readerOf{&zeroSource{n}}
	if err := s.Run(context.Background(), "sink"); err != nil {
		t.Fatal(err)
	}
}

type readerOf struct{ *zeroSource }

func (r readerOf) Read(p []byte) (int, error) { return r.Readv([][]byte{p}) }

func sinkServer(s *Server) {
	s.Ciphers = []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"}
	s.Handler = func(s *Session) {
		done := make(chan struct{})
		s.Channel().AttachSink(0, endSink{&countSink{}, done})
		select {
		case <-done:
		case <-s.Context().Done():
		}
	}
}

type endSink struct {
	*countSink
	done chan struct{}
}

func (s endSink) CloseWrite() error { close(s.done); return nil }

func BenchmarkBulk(b *testing.B) {
	for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"} {
		b.Run(cipher, func(b *testing.B) {
			addr, host, user := testServer(b, sinkServer)
			c := dialTest(b, addr, host, user, func(cfg *ClientConfig) { cfg.Ciphers = []string{cipher} })
			const size = 64 << 20
			b.SetBytes(size)
			b.ReportAllocs()
			begun := cpuTime()
			for b.Loop() {
				moveData(b, c, size)
			}
			b.ReportMetric((cpuTime()-begun)/float64(b.N)/size*1e9, "cpu-s/GB")
		})
	}
}

// TestNoAllocationPerPacket: what a long stream allocates more than a short one
// is nothing per packet, in both ends together.
func TestNoAllocationPerPacket(t *testing.T) {
	for _, cipher := range []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"} {
		t.Run(cipher, func(t *testing.T) {
			addr, host, user := testServer(t, sinkServer)
			c := dialTest(t, addr, host, user, func(cfg *ClientConfig) { cfg.Ciphers = []string{cipher} })
			count := func(n int64) uint64 {
				var a, b runtime.MemStats
				runtime.ReadMemStats(&a)
				moveData(t, c, n)
				runtime.ReadMemStats(&b)
				return b.Mallocs - a.Mallocs
			}
			count(64 << 20)
			short, long := count(32<<20), count(288<<20)
			const packets = 256 << 20 / (128 << 10)
			per := (float64(long) - float64(short)) / packets
			t.Logf("%d and %d allocations, %.3f per packet", short, long, per)
			if per > 0.1 && !raceDetector {
				t.Errorf("%.3f allocations per packet", per)
			}
		})
	}
}
