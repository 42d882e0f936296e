package privsep

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// messages makes an empty message of each number, and its answer.
var messages = []struct{ m, answer Message }{
	{&Setup{}, nil}, {&Take{}, nil}, {&Drain{}, nil}, {&HandOver{}, nil},
	{&Sign{}, &Signature{}}, {&Prove{}, &Signature{}}, {&Moduli{}, &Group{}}, {&User{}, &Policy{}}, {&None{}, &Outcome{}},
	{&KeyAllowed{}, &Outcome{}}, {&KeyVerify{}, &Outcome{}}, {&Password{}, &Outcome{}}, {&ChangePassword{}, &Outcome{}},
	{&Interactive{}, &Question{}}, {&Answer{}, &Question{}}, {&HostbasedAllowed{}, &Outcome{}}, {&HostbasedVerify{}, &Outcome{}},
	{&Failed{}, nil}, {&Begin{}, &Login{}}, {&PTY{}, &Terminal{}}, {&Exec{}, &Started{}}, {&Signal{}, nil},
	{&Close{}, nil}, {&Sockets{}, &Outcome{}}, {&Exit{}, nil}, {&Log{}, nil}, {&Farewell{}, nil},
	{&Ready{}, nil}, {&Unready{}, nil}, {&Lobby{}, nil}, {&LoggedIn{}, nil}, {&Ended{}, nil}, {&Retire{}, nil}, {&Status{}, &Counters{}},
	{&Rules{}, nil}, {&Stranger{}, nil}, {&Leave{}, &Verdict{}}, {&Gone{}, nil},
	{&Dial{}, &Opened{}}, {&Listen{}, &Opened{}}, {&Accepted{}, nil}, {&Unlisten{}, nil},
}

func TestTable(t *testing.T) {
	seen := map[Number]bool{}
	for _, m := range messages {
		n := number(m.m)
		row := Find(n)
		if row == nil || seen[n] {
			t.Errorf("%T: number %d has no row, or two messages", m.m, n)
			continue
		}
		seen[n] = true
		if want := "*privsep." + row.Name; reflect.TypeOf(m.m).String() != want {
			t.Errorf("%d is %T and %s", n, m.m, row.Name)
		}
		if row.Call != (m.answer != nil) {
			t.Errorf("%s: call %v, answer %T", row.Name, row.Call, m.answer)
		}
		if row.When == 0 || row.Says == "" || row.Files > MaxFiles || row.Back > MaxFiles {
			t.Errorf("%s: incomplete row", row.Name)
		}
		if row.Link == Connection && row.From == Network && row.Most == 0 {
			t.Errorf("%s: no limit on how often", row.Name)
		}
	}
	if len(seen) != len(Table) {
		t.Errorf("%d messages, %d rows", len(seen), len(Table))
	}
}

// fill sets every field of a message to something.
func fill(v reflect.Value) {
	if a, ok := v.Addr().Interface().(*netip.AddrPort); ok {
		*a = netip.MustParseAddrPort("[fe80::1%eth0]:22")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-3)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(5)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range messages {
		for _, m := range []Message{m.m, m.answer} {
			if m == nil {
				continue
			}
			fresh := func() reflect.Value { return reflect.New(reflect.TypeOf(m).Elem()) }
			full := fresh()
			fill(full.Elem())
			b, err := Append(nil, full.Interface().(Message))
			if err != nil {
				t.Errorf("%T: %v", m, err)
				continue
			}
			back := fresh()
			if err := Decode(b, back.Interface().(Message)); err != nil || !reflect.DeepEqual(full.Interface(), back.Interface()) {
				t.Errorf("%T: %v\n%+v\n%+v", m, err, full.Elem(), back.Elem())
			}
			if err := Decode(append(b, 0), back.Interface().(Message)); err == nil {
				t.Errorf("%T: a byte behind the last field was taken", m)
			}
			for n := range b {
				if err := Decode(b[:n], fresh().Interface().(Message)); err == nil {
					t.Errorf("%T: %d of %d bytes were taken", m, n, len(b))
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, m := range []Message{
		&Password{Password: make([]byte, MaxSecret+1)}, &Sign{Hash: make([]byte, MaxHash+1)}, &Log{Text: strings.Repeat("x", MaxLine+1)},
		&KeyAllowed{Key: make([]byte, MaxBlob+1)}, &User{Name: strings.Repeat("x", MaxName+1)}, &Question{Prompts: make([]Prompt, MaxPrompts+1)},
		&Exec{Env: make([]string, MaxVariables+1)}, &Setup{HostKeys: make([]HostKey, MaxHostKeys+1)},
	} {
		b, err := Append(nil, m)
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%T was written: %v", m, err)
		}
		if Decode(b, m) == nil {
			t.Errorf("%T was read", m)
		}
	}
	for _, m := range []Message{
		&Password{Password: make([]byte, MaxSecret)}, &Sign{Hash: make([]byte, MaxHash)}, &Log{Text: strings.Repeat("x", MaxLine)},
		&KeyAllowed{Key: make([]byte, MaxBlob)}, &User{Name: strings.Repeat("x", MaxName)}, &Question{Prompts: make([]Prompt, MaxPrompts)},
	} {
		b, err := Append(nil, m)
		if err != nil || Decode(b, m) != nil {
			t.Errorf("%T at its limit: %v", m, err)
		}
	}
}

// TestGuard asks everything in every state: AUT-1 and AUT-22 between the rooms.
func TestGuard(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, s := range []State{Fresh, Keyed, Named, In, Over} {
		for i := range Table {
			r := &Table[i]
			g := &Guard{}
			g.Advance(s)
			err := g.Allow(r.Number, r.From, r.Files, now)
			if want := r.Link == Connection && r.When&s != 0; (err == nil) != want {
				t.Errorf("%s in state %d: %v", r.Name, s, err)
			}
			if err := g.Allow(r.Number, r.From, r.Files+1, now); err == nil {
				t.Errorf("%s with a descriptor more", r.Name)
			}
			if err := g.Allow(r.Number, 1-r.From, r.Files, now); err == nil {
				t.Errorf("%s from the other side", r.Name)
			}
		}
	}
	g := &Guard{}
	for n := range 256 {
		if Find(Number(n)) == nil && g.Allow(Number(n), Network, 0, now) == nil {
			t.Errorf("number %d is allowed", n)
		}
	}
	g.Advance(In)
	g.Advance(Fresh)
	if g.State() != In {
		t.Error("a state went back")
	}
}

func TestGuardCounts(t *testing.T) {
	now := time.Unix(1e9, 0)
	for i := range Table {
		r := &Table[i]
		if r.Link != Connection || r.From != Network || r.Most > 1<<11 {
			continue
		}
		for _, s := range []State{Fresh, Keyed, Named, In} {
			if r.When&s == 0 {
				continue
			}
			g := &Guard{}
			g.Advance(s)
			most := r.Most
			if s != In && r.Early > 0 {
				most = r.Early
			}
			for n := range most {
				if err := g.Allow(r.Number, Network, r.Files, now); err != nil {
					t.Errorf("%s number %d in state %d: %v", r.Name, n+1, s, err)
				}
			}
			if g.Allow(r.Number, Network, r.Files, now) == nil {
				t.Errorf("%s was taken %d times in state %d", r.Name, most+1, s)
			}
		}
	}
}

func TestGuardSignRate(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := &Guard{}
	g.Advance(In)
	for range SignBurst {
		if err := g.Allow(NumSign, Network, 0, now); err != nil {
			t.Fatal(err)
		}
	}
	if g.Allow(NumSign, Network, 0, now) == nil {
		t.Error("no rate")
	}
	if err := g.Allow(NumSign, Network, 0, now.Add(time.Second)); err != nil {
		t.Error(err)
	}
}

// links are the kinds there are, each with two ends.
func links(t *testing.T, f func(t *testing.T, a, b *Conn)) {
	t.Run("memory", func(t *testing.T) {
		a, b := Pair()
		f(t, a, b)
	})
	t.Run("socket", func(t *testing.T) {
		x, y, err := SocketPair()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system has no SOCK_SEQPACKET with descriptors: the server is one process there")
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewConn(x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewConn(y)
		if err != nil {
			t.Fatal(err)
		}
		f(t, a, b)
	})
}

func nothing(_ context.Context, in *Incoming) error {
	return errors.New("unexpected " + in.Number.String())
}

func TestCallsAndDescriptors(t *testing.T) {
	links(t, func(t *testing.T, a, b *Conn) {
		var wg sync.WaitGroup
		defer wg.Wait()
		defer a.Close()
		wg.Go(func() { a.Serve(t.Context(), nothing) })
		wg.Go(func() {
			b.Serve(t.Context(), func(_ context.Context, in *Incoming) error {
				switch in.Number {
				case NumSign:
					var m Sign
					if err := in.Decode(&m); err != nil {
						return err
					}
					return in.Answer(&Signature{Blob: m.Hash})
				case NumPTY:
					r, w, err := os.Pipe()
					if err != nil {
						return err
					}
					w.WriteString("through")
					w.Close()
					return in.Answer(&Terminal{Name: "pts/1"}, r)
				}
				return errors.New("what?")
			})
		})
		var calls sync.WaitGroup
		for i := range 20 {
			calls.Go(func() {
				hash := bytes.Repeat([]byte{byte(i)}, 32)
				var s Signature
				if _, err := a.Call(t.Context(), &Sign{Hash: hash}, &s); err != nil || !bytes.Equal(s.Blob, hash) {
					t.Errorf("%x %v", s.Blob, err)
				}
			})
		}
		calls.Wait()
		var term Terminal
		files, err := a.Call(t.Context(), &PTY{}, &term)
		if err != nil || len(files) != 1 || term.Name != "pts/1" {
			t.Fatalf("%v %v %v", files, term, err)
		}
		got := make([]byte, 7)
		if _, err := files[0].Read(got); string(got) != "through" {
			t.Errorf("%q %v", got, err)
		}
		files[0].Close()
	})
}

func TestTheOtherEndGoes(t *testing.T) {
	links(t, func(t *testing.T, a, b *Conn) {
		ended := make(chan error, 1)
		go func() {
			ended <- b.Serve(t.Context(), func(ctx context.Context, in *Incoming) error {
				<-ctx.Done() // a handler that waits notices
				return nil
			})
		}()
		aEnded := make(chan error, 1)
		go func() { aEnded <- a.Serve(t.Context(), nothing) }()
		called := make(chan error, 1)
		go func() {
			_, err := a.Call(t.Context(), &Sign{}, &Signature{})
			called <- err
		}()
		time.Sleep(time.Millisecond) // either order of the call and the end is right
		a.Close()
		if err := <-called; err == nil {
			t.Error("a call succeeded")
		}
		if err := <-aEnded; err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := b.Call(t.Context(), &Sign{}, &Signature{}); err == nil {
			t.Error("a call after the end")
		}
	})
}

// TestViolations: what is no message of the table ends the link.
func TestViolations(t *testing.T) {
	for _, b := range [][]byte{
		{}, {0}, {0, 16, 0, 0, 0}, {3, 16, 0, 0, 0, 1}, {0, 99, 0, 0, 0, 1}, {1, 16, 0, 0, 0, 1}, // an answer that nobody asked for
		{2, 16, 0, 0, 0, 1}, {0, 46, 0, 0, 0, 1}, // a call as a notice, a notice as a call
		{2, byte(NumTake), 0, 0, 0, 0}, // without its descriptors
	} {
		if len(b) == 0 {
			continue // cannot be sent, and is an end when it comes
		}
		links(t, func(t *testing.T, x, y *Conn) {
			if err := x.c.send(frame{b: b}); err != nil {
				t.Fatal(err)
			}
			if err := y.Serve(t.Context(), nothing); !errors.Is(err, ErrProtocol) {
				t.Errorf("%x: %v", b, err)
			}
			x.Close()
		})
	}
}

// TestUnwantedDescriptors are closed, and end the link.
func TestUnwantedDescriptors(t *testing.T) {
	links(t, func(t *testing.T, x, y *Conn) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Notify(&Log{}, w); err != nil {
			t.Fatal(err)
		}
		if err := y.Serve(t.Context(), nothing); !errors.Is(err, ErrProtocol) {
			t.Errorf("%v", err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("the descriptor is still open")
		}
		r.Close()
		x.Close()
	})
}

func TestAPanicCostsTheLink(t *testing.T) {
	links(t, func(t *testing.T, x, y *Conn) {
		x.Notify(&Log{})
		if err := y.Serve(t.Context(), func(context.Context, *Incoming) error { panic("boom") }); err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("%v", err)
		}
		x.Close()
	})
}

// TestQueueIsBounded fills the queue of a handler that stands still.
func TestQueueIsBounded(t *testing.T) {
	x, y := Pair()
	hold := make(chan struct{})
	ended := make(chan error, 1)
	n := 0
	go func() {
		ended <- y.Serve(t.Context(), func(_ context.Context, in *Incoming) error {
			<-hold
			n++
			return nil
		})
	}()
	const all = 1 + MaxQueued + 1 + memoryQueue // handled, queued, read, sent
	for range all {
		x.Notify(&Log{})
	}
	select {
	case x.c.(*memoryEnd).out <- frame{}:
		t.Error("there was room for one more")
	default:
	}
	close(hold)
	x.Close()
	if err := <-ended; err != nil || n == 0 {
		t.Errorf("%v, %d handled", err, n)
	}
}

func FuzzDecode(f *testing.F) {
	for i, m := range messages {
		for _, m := range []Message{m.m, m.answer} {
			if m == nil {
				continue
			}
			full := reflect.New(reflect.TypeOf(m).Elem())
			fill(full.Elem())
			b, err := Append(nil, full.Interface().(Message))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		row := messages[int(i)%len(messages)]
		for _, m := range []Message{row.m, row.answer} {
			if m == nil {
				continue
			}
			m := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
			if Decode(b, m) != nil {
				continue
			}
			// What was taken can be written, and reads the same.
			again, err := Append(nil, m)
			if err != nil {
				t.Fatalf("%T: %v", m, err)
			}
			back := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
			if err := Decode(again, back); err != nil || !reflect.DeepEqual(m, back) {
				t.Fatalf("%T: %v\n%+v\n%+v", m, err, m, back)
			}
		}
	})
}

// FuzzGuard sends numbers in every order: nothing but the table's is allowed, and
// a state is only reached through those before it.
func FuzzGuard(f *testing.F) {
	f.Add([]byte{16, 19, 21, 22, 30, 40, 41})
	f.Add([]byte{41, 16, 16, 30, 19, 19, 30})
	f.Fuzz(func(t *testing.T, asked []byte) {
		g := &Guard{}
		now := time.Unix(1e9, 0)
		signs, users := 0, 0
		for _, n := range asked {
			if g.Allow(Number(n), Network, 0, now) != nil {
				return // the link ends
			}
			switch Number(n) {
			case NumSign:
				signs++
				g.Advance(Keyed)
			case NumUser:
				users++
				g.Advance(Named)
			case NumPTY, NumExec, NumSignal, NumSockets, NumProve, NumClose:
				t.Fatalf("%s without a login", Number(n))
			}
		}
		if signs > 1 || users > 1 {
			t.Fatalf("%d signatures, %d users", signs, users)
		}
	})
}
