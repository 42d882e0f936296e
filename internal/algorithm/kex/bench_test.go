package kex

import "testing"

// The work of each role for a whole exchange; signatures are not in it.

func BenchmarkServer(b *testing.B) {
	for i := range Methods {
		m := &Methods[i]
		b.Run(m.Name, func(b *testing.B) {
			var request []byte
			if m.GroupExchange {
				request, _ = newClient(b, m, small).Start()
			}
			_, _, init := started(b, m)
			b.ReportAllocs()
			for b.Loop() {
				s, _ := m.NewServer(small)
				if request != nil {
					s.Next(request, testTranscript, testHostKey)
				}
				_, res, err := s.Next(init, testTranscript, testHostKey)
				if err != nil {
					b.Fatal(err)
				}
				res.Reply(testSignature)
			}
		})
	}
}

func BenchmarkClient(b *testing.B) {
	for i := range Methods {
		m := &Methods[i]
		b.Run(m.Name, func(b *testing.B) {
			// The answer of a server to another share costs the client as much.
			_, last, _ := replied(b, m)
			b.ReportAllocs()
			for b.Loop() {
				c, _ := m.NewClient(small)
				c.Start()
				if m.GroupExchange {
					c.Next(group14Message(), testTranscript)
				}
				if _, _, err := c.Next(last, testTranscript); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDeriveKeys(b *testing.B) {
	m := MethodByName("mlkem768x25519-sha256")
	s := &Secret{H: make([]byte, 32), K: make([]byte, 36)}
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range []byte("ABCDEF") {
			m.DeriveKey(s, l, s.H, 32)
		}
	}
}
