package userauth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"

	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// end is one end of an in-memory packet pipe. Its UNIMPLEMENTEDs are counted,
// not delivered: they are the transport's own business.
type end struct {
	in      <-chan []byte
	out     chan<- []byte
	queued  [][]byte
	once    sync.Once
	unknown int
	padded  int
	reads   int
	last    []byte // scribbled over at the next read
}

func pipe() (a, b *end) {
	ab, ba := make(chan []byte, 4096), make(chan []byte, 4096)
	return &end{in: ba, out: ab}, &end{in: ab, out: ba}
}

func (e *end) ReadPacket() ([]byte, error) {
	if err := e.Flush(); err != nil {
		return nil, err
	}
	// Whoever keeps a slice for too long shall see it.
	for i := range e.last {
		e.last[i] = 0xdb
	}
	p, ok := <-e.in
	if !ok {
		return nil, io.EOF
	}
	e.reads++
	e.last = p
	return p, nil
}

func (e *end) WritePacket(p []byte) error {
	e.queued = append(e.queued, bytes.Clone(p))
	return nil
}

func (e *end) Flush() error {
	for _, p := range e.queued {
		e.out <- p
	}
	e.queued = nil
	return nil
}

func (e *end) Close() {
	e.once.Do(func() {
		e.Flush()
		close(e.out)
	})
}

// full is an end with the optional abilities.
type full struct{ *end }

func (f full) WriteUnimplemented() error { f.unknown++; return nil }
func (f full) PadNext(int)               { f.padded++ }

// clock is a time that passes only when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

var (
	testSession = []byte("session identifier of 32 bytes..")
	testHostKey = []byte("host key blob")
)

var errWrong = errors.New("wrong")

// server configuration without any method.
func serverConfig() (*ServerConfig, *clock) {
	clk := newClock()
	return &ServerConfig{SessionID: testSession, HostKey: testHostKey, Now: clk.Now, Sleep: clk.Sleep, DelaySecret: 7}, clk
}

func clientConfig(methods ...Method) *ClientConfig {
	return &ClientConfig{SessionID: testSession, HostKey: testHostKey, User: "ann", Methods: methods}
}

func edSigner(seed string) pubkey.Signer {
	h := sha256.Sum256([]byte(seed))
	s, err := pubkey.NewSignerFromKey(ed25519.NewKeyFromSeed(h[:]))
	if err != nil {
		panic(err)
	}
	return s
}

var rsaOnce = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func rsaSigner() pubkey.Signer {
	s, err := pubkey.NewSignerFromKey(rsaOnce())
	if err != nil {
		panic(err)
	}
	return s
}

// certSigner is a user certificate for seed's key by the authority "ca".
func certSigner(t testing.TB, seed string, certType uint32, perms pubkey.Permissions) pubkey.Signer {
	t.Helper()
	key := edSigner(seed)
	cert := &pubkey.Certificate{Key: key.PublicKey(), CertType: certType, KeyId: "id", Serial: 3,
		ValidPrincipals: []string{"ann"}, ValidBefore: 1 << 62, Permissions: perms}
	if err := cert.SignCert(nil, edSigner("ca")); err != nil {
		t.Fatal(err)
	}
	s, err := pubkey.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(s pubkey.Signer) *Key { return &Key{PublicKey: s.PublicKey(), Signer: s, Name: "key"} }

// allow lets the named keys in without permissions.
func allow(signers ...pubkey.Signer) func(context.Context, *KeyAttempt) (*Permissions, error) {
	return func(_ context.Context, a *KeyAttempt) (*Permissions, error) {
		for _, s := range signers {
			if pubkey.Equal(s.PublicKey(), a.Key) {
				return nil, nil
			}
		}
		return nil, errWrong
	}
}

func passwordIs(want string) func(context.Context, *Attempt, []byte) (*Permissions, error) {
	return func(_ context.Context, _ *Attempt, p []byte) (*Permissions, error) {
		if string(p) != want {
			return nil, errWrong
		}
		return nil, nil
	}
}

// login runs our client against our server.
func login(t *testing.T, s *ServerConfig, c *ClientConfig) (*Result, error, *ClientResult, error) {
	t.Helper()
	a, b := pipe()
	type served struct {
		r   *Result
		err error
	}
	done := make(chan served)
	go func() {
		r, err := Serve(context.Background(), full{a}, s)
		a.Close()
		done <- served{r, err}
	}()
	cr, cerr := Authenticate(context.Background(), full{b}, c)
	b.Close()
	sv := <-done
	return sv.r, sv.err, cr, cerr
}

// peer drives one end by hand.
type peer struct {
	t testing.TB
	*end
	done chan struct{}
	// of the other side, after done
	result  *Result
	cresult *ClientResult
	err     error
	other   *end
}

// hostileClient starts a server and returns its client, after the service
// request unless early.
func hostileClient(t testing.TB, cfg *ServerConfig) *peer {
	a, b := pipe()
	p := &peer{t: t, end: b, done: make(chan struct{}), other: a}
	go func() {
		p.result, p.err = Serve(context.Background(), full{a}, cfg)
		a.Close()
		close(p.done)
	}()
	t.Cleanup(func() { p.Close(); <-p.done })
	return p
}

func hostileServer(t testing.TB, cfg *ClientConfig) *peer {
	a, b := pipe()
	p := &peer{t: t, end: b, done: make(chan struct{}), other: a}
	go func() {
		p.cresult, p.err = Authenticate(context.Background(), full{a}, cfg)
		a.Close()
		close(p.done)
	}()
	t.Cleanup(func() { p.Close(); <-p.done })
	return p
}

func (p *peer) send(b []byte) {
	p.WritePacket(b)
	p.Flush()
}

func (p *peer) service() *peer {
	p.send(wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"))
	p.expect(wire.MsgServiceAccept)
	return p
}

func (p *peer) acceptService() *peer {
	p.expect(wire.MsgServiceRequest)
	p.send(wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"))
	return p
}

// wait waits for the other side, which may hear that nothing more comes: a
// test that fails shall not hang.
func (p *peer) wait() {
	p.Close()
	<-p.done
}

// expect reads one message of number n.
func (p *peer) expect(n byte) []byte {
	p.t.Helper()
	m, err := p.ReadPacket()
	if err != nil {
		p.wait()
		p.t.Fatalf("got %v (other side: %v), want %s", err, p.err, wire.MessageName(n))
	}
	if m[0] != n {
		p.t.Fatalf("got %s %q, want %s", wire.MessageName(m[0]), m[1:], wire.MessageName(n))
	}
	return bytes.Clone(m)
}

// expectFailure reads FAILURE with the list of methods and the partial flag.
func (p *peer) expectFailure(methods string, partial bool) {
	p.t.Helper()
	var m wire.UserauthFailure
	if err := m.Decode(p.expect(wire.MsgUserauthFailure)); err != nil {
		p.t.Fatal(err)
	}
	if got := strings.Join(m.Methods, ","); got != methods || m.PartialSuccess != partial {
		p.t.Fatalf("failure lists %q, partial %v; want %q, %v", got, m.PartialSuccess, methods, partial)
	}
}

// expectEnd waits until the other side gave up with a reason code.
func (p *peer) expectEnd(reason wire.Reason) {
	p.t.Helper()
	p.Close()
	for {
		m, err := p.ReadPacket()
		if err != nil {
			break
		}
		if m[0] == wire.MsgUserauthSuccess {
			p.t.Fatal("success")
		}
	}
	p.wait()
	var d *wire.DisconnectError
	if !errors.As(p.err, &d) || d.Reason != reason {
		p.t.Fatalf("ended with %v, want code %d", p.err, reason)
	}
	if p.result != nil || p.cresult != nil {
		p.t.Fatal("a result beside an error")
	}
}

func request(user, method string, rest []byte) []byte {
	m := wire.UserauthRequest{User: user, Service: "ssh-connection", Method: method, Rest: rest}
	return m.Append(nil)
}

func passwordBody(password string) []byte {
	return (&passwordRequest{password: []byte(password)}).append(nil)
}

func queryBody(s pubkey.Signer) []byte {
	return (&publicKeyRequest{algorithm: s.PublicKey().Type(), key: s.PublicKey().Marshal()}).append(nil)
}

// signed is a good publickey request by s for user.
func signed(t testing.TB, s pubkey.Signer, user, algorithm string, hostBound bool) []byte {
	t.Helper()
	if algorithm == "" {
		algorithm = s.PublicKey().Type()
	}
	b := &publicKeyRequest{signed: true, algorithm: algorithm, key: s.PublicKey().Marshal(), hostBound: hostBound, hostKey: testHostKey}
	sig, err := pubkey.SignWith(s, nil, b.signedData(testSession, user, "ssh-connection"), algorithm)
	if err != nil {
		t.Fatal(err)
	}
	b.signature = pubkey.MarshalSignature(sig)
	return request(user, b.method(), b.append(nil))
}

func failureMsg(partial bool, methods ...string) []byte {
	return (&wire.UserauthFailure{Methods: methods, PartialSuccess: partial}).Append(nil)
}
