package client

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type pacedSink struct {
	mu    sync.Mutex
	at    []time.Duration
	text  []string
	start time.Time
	ended bool
}

func (s *pacedSink) note(text string) {
	s.mu.Lock()
	s.at, s.text = append(s.at, time.Since(s.start)), append(s.text, text)
	s.mu.Unlock()
}

func (s *pacedSink) Write(p []byte) (int, error) { s.note(string(p)); return len(p), nil }
func (s *pacedSink) Close() error                { s.ended = true; return nil }

// TestOBS01_Grid: between the first key and the end of the chaff something
// leaves on every tick, whatever is typed and whenever (OBS-1, OBS-2).
func TestOBS01_Grid(t *testing.T) {
	const interval = 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := &pacedSink{start: time.Now()}
		p := NewPacer(s, interval, func() error { s.note("chaff"); return nil })
		for _, key := range []struct {
			after time.Duration
			text  string
		}{{0, "a"}, {3, "b"}, {1, "c"}, {50, "d"}, {333, "e"}} {
			time.Sleep(key.after * time.Millisecond)
			p.Write([]byte(key.text))
		}
		last := time.Since(s.start)
		time.Sleep(10 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		var typed []string
		for i, text := range s.text {
			if text != "chaff" {
				typed = append(typed, text)
			}
			if i == 0 {
				if s.at[0] != 0 {
					t.Errorf("the first key left after %v", s.at[0])
				}
				continue
			}
			if d := s.at[i] - s.at[i-1]; d < interval*9/10 || d > interval*11/10 {
				t.Errorf("%v between %q and %q", d, s.text[i-1], text)
			}
		}
		if !slices.Equal(typed, []string{"a", "bc", "d", "e"}) {
			t.Errorf("left: %q", typed)
		}
		if end := s.at[len(s.at)-1] - last; end < chaffLeast-interval || end > chaffLeast+chaffMore+2*interval {
			t.Errorf("chaff ends %v after the last key", end)
		}
		n := len(s.at)
		time.Sleep(time.Minute)
		if len(s.at) != n || p.active {
			t.Error("chaff goes on")
		}
	})
}

// TestPacerBulk: what is pasted is not held back, and overtakes nothing.
func TestPacerBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &pacedSink{start: time.Now()}
		p := NewPacer(s, 20*time.Millisecond, nil)
		paste := string(make([]byte, paceBulk+1))
		p.Write([]byte("a"))
		p.Write([]byte("b"))
		p.Write([]byte(paste))
		p.Write([]byte("c"))
		p.Close()
		if !slices.Equal(s.text, []string{"a", "b", paste, "c"}) || !s.ended {
			t.Errorf("left: %q", s.text)
		}
		if _, err := p.Write([]byte("d")); err == nil {
			t.Error("a write after the end")
		}
		time.Sleep(10 * time.Second)
	})
}
