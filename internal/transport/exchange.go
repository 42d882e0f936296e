package transport

import (
	"crypto/rand"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/compression"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// newKexInit is our KEXINIT (RFC 4253 §7.1). The markers stand in the first
// one only.
func (c *Conn) newKexInit() *wire.KexInit {
	m := c.cfg.kexInit(c.sessionID == nil)
	rand.Read(m.Cookie[:])
	if !c.cfg.Client && oldGroupExchange(c.peerID) {
		m.Kex = withoutGroupExchange(m.Kex)
	}
	return m
}

// kexInit is a KEXINIT without its cookie.
func (cfg *Config) kexInit(first bool) *wire.KexInit {
	m := &wire.KexInit{
		Kex:        slices.Clone(cfg.KeyExchanges),
		HostKey:    cfg.HostKeyAlgorithms,
		CiphersC2S: cfg.Ciphers, CiphersS2C: cfg.Ciphers,
		MACsC2S: cfg.MACs, MACsS2C: cfg.MACs,
		CompressionC2S: cfg.Compressions, CompressionS2C: cfg.Compressions,
	}
	if !cfg.Client {
		m.HostKey = nil
		for _, k := range cfg.HostKeys {
			m.HostKey = append(m.HostKey, k.Algorithms...)
		}
	}
	if first {
		if cfg.Client {
			m.Kex = append(m.Kex, extInfoC, strictC)
		} else {
			m.Kex = append(m.Kex, extInfoS, strictS)
		}
	}
	return m
}

// begin sends our KEXINIT of the first exchange, with the guessed first message
// behind it when asked to.
func (c *Conn) begin() error {
	m := c.newKexInit()
	var guessed []byte
	if c.cfg.Client && c.cfg.Guess && len(m.Kex) > 0 {
		if method := kex.MethodByName(m.Kex[0]); method != nil && !method.GroupExchange {
			state, err := method.NewClient(&kex.Options{})
			if err != nil {
				return err
			}
			if guessed, err = state.Start(); err != nil {
				return err
			}
			c.guess, m.FirstKexPacketFollows = state, true
			c.guessed.Sent = true
		}
	}
	return c.sendKexInit(m, guessed)
}

func (c *Conn) sendKexInit(m *wire.KexInit, guessed []byte) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.startLocked(m.Append(nil))
	if guessed != nil {
		c.out.sealLocked(guessed)
	}
	return c.out.err
}

// RequestRekey sends our KEXINIT unless an exchange is under way or nobody is
// logged in yet. The exchange itself is the reader's. It may wait, so it is not
// for the reader.
func (c *Conn) RequestRekey() error {
	if err := c.requestRekey(); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.flushLocked()
}

func (c *Conn) requestRekey() error {
	payload := c.newKexInit().Append(nil)
	c.out.mu.Lock()
	if c.out.kexing || c.out.err != nil || c.out.limited {
		err := c.out.err
		c.out.mu.Unlock()
		return err
	}
	c.startLocked(payload)
	c.stream.SetReadDeadline(c.cfg.Now().Add(ExchangeTimeout))
	c.out.mu.Unlock()
	return c.out.tryFlush()
}

// startLocked puts our KEXINIT on its way; from here to our NEWKEYS everything
// else is held back.
func (c *Conn) startLocked(payload []byte) {
	c.out.kexing, c.kexinit = true, payload
	c.out.sealLocked(payload)
	c.cfg.trace(1, "SSH2_MSG_KEXINIT sent")
}

// KeyAge is how long the current keys have been in use.
func (c *Conn) KeyAge() time.Duration {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.cfg.Now().Sub(c.keyedAt)
}

// rekeyDueLocked reports that the sending key has done its work.
func (o *out) rekeyDueLocked() bool {
	return o.err == nil && !o.kexing && !o.limited && o.limit > 0 && (o.bytes > o.limit || o.packets > RekeyPackets)
}

// rekeyDueIn reports that the receiving key has done its work. It is the
// reader's.
func (c *Conn) rekeyDueIn() bool {
	return c.authenticated && c.in.limit > 0 && (c.in.bytes > c.in.limit || c.in.packets > RekeyPackets)
}

// exchange runs one key exchange from the peer's KEXINIT, payload theirs, to
// both NEWKEYS.
func (c *Conn) exchange(theirs []byte) error {
	begun := c.cfg.Now()
	first := c.sessionID == nil
	var peer wire.KexInit
	if err := peer.Decode(theirs); err != nil {
		return wire.Disconnectf(wire.ReasonProtocolError, "KEXINIT: %w", err)
	}
	c.cfg.trace(1, "SSH2_MSG_KEXINIT received")
	if !first {
		if err := c.answerKexInit(); err != nil {
			return err
		}
		c.stream.SetReadDeadline(begun.Add(ExchangeTimeout))
	}
	var mine wire.KexInit
	if err := mine.Decode(c.kexinit); err != nil {
		return err
	}
	client, server := &mine, &peer
	if !c.cfg.Client {
		client, server = server, client
	}
	if first {
		c.strict = slices.Contains(client.Kex, strictC) && slices.Contains(server.Kex, strictS)
		if c.strict && c.in.seq != 1 {
			return wire.Disconnectf(wire.ReasonProtocolError, "strict KEX violation: KEXINIT was not the first packet")
		}
	}
	algs, err := negotiate(client, server, c.cfg.Client)
	if err != nil {
		return err
	}
	c.traceAlgorithms(algs)
	x := &exchange{c: c, first: first, algs: algs, method: kex.MethodByName(algs.Kex)}
	if x.method == nil {
		return wire.Disconnectf(wire.ReasonKeyExchangeFailed, "key exchange method %s is not there", algs.Kex)
	}
	if allowed := c.cfg.KexAllowed; allowed != nil && !c.cfg.Client {
		if err := allowed(x.method); err != nil {
			return &wire.DisconnectError{Reason: wire.ReasonByApplication, Message: "too many key exchanges", Err: err}
		}
	}
	right := guessedRight(&mine, &peer)
	if first {
		c.guessed.Right = right
		c.guessed.Kex, c.guessed.HostKey = strings.Clone(favourite(peer.Kex)), strings.Clone(favourite(peer.HostKey))
	}
	x.skip = peer.FirstKexPacketFollows && !right
	x.transcript = kex.Transcript{ClientID: c.mineID, ServerID: c.peerID, ClientKexInit: c.kexinit, ServerKexInit: theirs}
	var secret *kex.Secret
	if c.cfg.Client {
		if c.guess != nil && !right {
			kex.Discard(c.guess)
			c.guess = nil
		}
		secret, err = x.client(c.guess)
		c.guess = nil
	} else {
		t := &x.transcript
		t.ClientID, t.ServerID, t.ClientKexInit, t.ServerKexInit = c.peerID, c.mineID, theirs, c.kexinit
		secret, err = x.server()
	}
	if err != nil {
		return err
	}
	if first {
		c.sessionID, c.hostKey = secret.H, x.hostKey
	}
	if err := x.newKeys(secret, client); err != nil {
		return err
	}
	secret.Erase()
	c.Algorithms = *algs
	c.exchanges++
	if !first {
		c.stream.SetReadDeadline(time.Time{})
	}
	return c.chargeExchange(c.cfg.Now().Sub(begun) - x.waited)
}

// answerKexInit sends our KEXINIT if the peer was first.
func (c *Conn) answerKexInit() error {
	c.out.mu.Lock()
	started := c.out.kexing
	c.out.mu.Unlock()
	if started {
		return nil
	}
	payload := c.newKexInit().Append(nil)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.err == nil && !c.out.kexing {
		c.startLocked(payload)
	}
	return c.out.err
}

// chargeExchange cuts off a peer that has us compute exchanges all the time
// (NEG-10).
func (c *Conn) chargeExchange(cost time.Duration) error {
	now := c.cfg.Now()
	if now.Sub(c.exchangeSince) > ExchangeWindow {
		c.exchangeSince, c.exchangeCost = now, 0
	}
	if c.exchangeCost += cost; c.exchangeCost > ExchangeBudget && c.exchanges > 2 {
		return wire.Disconnectf(wire.ReasonByApplication, "too many key exchanges")
	}
	return nil
}

func (c *Conn) traceAlgorithms(a *Algorithms) {
	if c.cfg.Trace == nil {
		return
	}
	in, out := a.Read, a.Write
	name := func(mac string) string {
		if mac == "" {
			return "<implicit>"
		}
		return mac
	}
	c.cfg.trace(1, "kex: algorithm: %s", a.Kex)
	c.cfg.trace(1, "kex: host key algorithm: %s", a.HostKey)
	s2c, c2s := in, out
	if !c.cfg.Client {
		s2c, c2s = out, in
	}
	first, second := "server->client", "client->server"
	a1, a2 := s2c, c2s
	if !c.cfg.Client {
		first, second, a1, a2 = second, first, c2s, s2c
	}
	c.cfg.trace(1, "kex: %s cipher: %s MAC: %s compression: %s", first, a1.Cipher, name(a1.MAC), a1.Compression)
	c.cfg.trace(1, "kex: %s cipher: %s MAC: %s compression: %s", second, a2.Cipher, name(a2.MAC), a2.Compression)
}

// exchange is the state of one exchange after the negotiation.
type exchange struct {
	c          *Conn
	first      bool
	skip       bool // the peer's guess was wrong: one packet to pass over
	algs       *Algorithms
	method     *kex.Method
	transcript kex.Transcript
	hostKey    []byte
	waited     time.Duration // for the peer
}

// read is the next message of the exchange.
func (x *exchange) read(expect ...byte) ([]byte, error) {
	begun := x.c.cfg.Now()
	p, err := x.c.readExchange(expect...)
	if err == nil && x.skip {
		x.skip = false
		p, err = x.c.readExchange(expect...)
	}
	x.waited += x.c.cfg.Now().Sub(begun)
	return p, err
}

// readExchange reads the next packet, which must be one of expect or something
// that an exchange allows beside it.
func (c *Conn) readExchange(expect ...byte) ([]byte, error) {
	first := c.exchanges == 0
	strict := c.strict && first // rekeys have rules of their own (NEG-3)
	for {
		p, err := c.in.next()
		if err != nil {
			return nil, err
		}
		if p == nil {
			if err := c.out.tryFlush(); err != nil {
				return nil, err
			}
			if err := c.in.fill(); err != nil {
				return nil, err
			}
			continue
		}
		if !c.authenticated && (c.in.total > PreAuthBytes || c.in.totalPkt > PreAuthPackets) {
			return nil, wire.Disconnectf(wire.ReasonProtocolError, "too much was sent before authentication")
		}
		switch judgeExchange(strict, first, p[0], expect...) {
		case vUp:
			return p, nil
		case vDrop:
		case vHere:
			if err := c.own(p); err != nil {
				return nil, err
			}
		default:
			if strict {
				return nil, wire.Disconnectf(wire.ReasonProtocolError, "strict KEX violation: unexpected packet type %d (seqnr %d)", p[0], c.in.seq-1)
			}
			return nil, wire.Disconnectf(wire.ReasonProtocolError, "%s during key exchange", wire.MessageName(p[0]))
		}
	}
}

// methodMessages are what a method may get: its reader tells which fits.
var (
	clientExpects = []byte{wire.MsgKexECDHReply, wire.MsgKexGexReply}
	serverExpects = []byte{wire.MsgKexECDHInit, wire.MsgKexGexInit, wire.MsgKexGexRequest}
)

func (x *exchange) client(guess kex.Client) (*kex.Secret, error) {
	c := x.c
	state := guess
	if state == nil {
		var err error
		if state, err = x.method.NewClient(&kex.Options{GroupBits: x.groupBits()}); err != nil {
			return nil, err
		}
		start, err := state.Start()
		if err != nil {
			return nil, err
		}
		if err := c.out.queue(start, true); err != nil {
			return nil, err
		}
	}
	if x.method.GroupExchange {
		c.cfg.trace(1, "SSH2_MSG_KEX_DH_GEX_REQUEST(2048<%d<8192) sent", x.groupBits())
	} else {
		c.cfg.trace(1, "expecting SSH2_MSG_KEX_ECDH_REPLY")
	}
	for {
		p, err := x.read(clientExpects...)
		if err != nil {
			return nil, err
		}
		send, result, err := state.Next(p, &x.transcript)
		if err != nil {
			return nil, err // says its reason
		}
		if result == nil {
			if err := c.out.queue(send, true); err != nil {
				return nil, err
			}
			continue
		}
		x.hostKey = result.HostKey
		if c.cfg.VerifyHostKey == nil {
			return nil, wire.Disconnectf(wire.ReasonHostKeyNotVerifiable, "no way to verify the host key was configured")
		}
		begun := c.cfg.Now()
		err = c.cfg.VerifyHostKey(x.algs.HostKey, x.hostKey, result.H, result.Signature)
		x.waited += c.cfg.Now().Sub(begun) // a person's time is not computing
		if err != nil {
			return nil, &wire.DisconnectError{Reason: wire.ReasonHostKeyNotVerifiable, Message: "Host key verification failed.", Err: err}
		}
		return &result.Secret, nil
	}
}

func (x *exchange) server() (*kex.Secret, error) {
	c := x.c
	var key *HostKey
	for i := range c.cfg.HostKeys {
		if slices.Contains(c.cfg.HostKeys[i].Algorithms, x.algs.HostKey) {
			key = &c.cfg.HostKeys[i]
			break
		}
	}
	if key == nil {
		return nil, wire.Disconnectf(wire.ReasonKeyExchangeFailed, "no host key for %s", x.algs.HostKey)
	}
	x.hostKey = key.Blob
	state, err := x.method.NewServer(&kex.Options{Moduli: c.cfg.Moduli})
	if err != nil {
		return nil, err
	}
	for {
		p, err := x.read(serverExpects...)
		if err != nil {
			return nil, err
		}
		send, result, err := state.Next(p, &x.transcript, key.Blob)
		if err != nil {
			return nil, err // says its reason
		}
		if result == nil {
			if err := c.out.queue(send, true); err != nil {
				return nil, err
			}
			continue
		}
		sig, err := key.Sign(x.algs.HostKey, result.H)
		if err != nil {
			return nil, wire.Disconnectf(wire.ReasonKeyExchangeFailed, "signing with the host key: %w", err)
		}
		if err := c.out.queue(result.Reply(sig), true); err != nil {
			return nil, err
		}
		return &result.Secret, nil
	}
}

// groupBits is the size that a group exchange asks for: enough for the longest
// key, block, IV or MAC key of both directions.
func (x *exchange) groupBits() int {
	bits := 0
	for _, d := range []Direction{x.algs.Read, x.algs.Write} {
		if c := cipher.CipherByName(d.Cipher); c != nil {
			key := c.KeySize * 8
			if c.Name == "3des-cbc" {
				key = 112
			}
			bits = max(bits, key, c.BlockSize*8, c.IVSize*8)
		}
		if m := cipher.MACByName(d.MAC); m != nil {
			bits = max(bits, m.KeySize*8)
		}
	}
	bits = kex.GroupBits(bits)
	if bits > maxCiscoGroup && oldCisco(x.c.peerID) {
		bits = maxCiscoGroup
	}
	return bits
}

// newKeys derives the six keys (RFC 4253 §7.2), sends our NEWKEYS and waits for
// the peer's.
func (x *exchange) newKeys(s *kex.Secret, client *wire.KexInit) error {
	c := x.c
	derive := func(d Direction, letters string, seal bool) (cipher.Packet, *cipher.Cipher, error) {
		ci, mac := cipher.CipherByName(d.Cipher), cipher.MACByName(d.MAC)
		if ci == nil || d.MAC != "" && mac == nil {
			return nil, nil, wire.Disconnectf(wire.ReasonKeyExchangeFailed, "cipher %s with MAC %s is not there", d.Cipher, d.MAC)
		}
		iv := x.method.DeriveKey(s, letters[0], c.sessionID, ci.IVSize)
		key := x.method.DeriveKey(s, letters[1], c.sessionID, ci.KeySize)
		var macKey []byte
		if mac != nil {
			macKey = x.method.DeriveKey(s, letters[2], c.sessionID, mac.KeySize)
		}
		p, err := cipher.New(ci, mac, key, iv, macKey, seal)
		clear(key)
		clear(macKey)
		return p, ci, err
	}
	write, read := "ACE", "BDF"
	if !c.cfg.Client {
		write, read = read, write
	}
	sealer, ci, err := derive(x.algs.Write, write, true)
	if err != nil {
		return err
	}
	opener, co, err := derive(x.algs.Read, read, false)
	if err != nil {
		return err
	}
	var ext []byte
	asks := extInfoC
	if c.cfg.Client {
		asks = extInfoS
	}
	peerKex := client.Kex
	if c.cfg.Client {
		peerKex = x.peerKex()
	}
	if x.first && len(c.cfg.ExtInfo) > 0 && slices.Contains(peerKex, asks) {
		ext = (&wire.ExtInfo{Extensions: c.cfg.ExtInfo}).Append(nil)
	}
	c.bound = min(rekeyBound(ci), rekeyBound(co))
	limit := c.rekeyLimit()
	random := ci.BlockSize > 1 && sealer.Oracle()
	c.out.mu.Lock()
	c.in.limit, c.out.limit, c.keyedAt = limit, limit, c.cfg.Now()
	c.kexinit = nil // from newKeys on the next exchange may begin
	c.out.mu.Unlock()
	var deflate compression.Compressor
	if c.compresses(x.algs.Write.Compression) {
		deflate = compression.NewCompressor(6)
	}
	if err := c.out.newKeys(sealer, deflate, c.strict, random, ext); err != nil {
		return err
	}
	c.cfg.trace(1, "SSH2_MSG_NEWKEYS sent")
	c.cfg.trace(1, "expecting SSH2_MSG_NEWKEYS")
	begun, answered := c.cfg.Now(), c.in.buffered() > 0
	p, err := x.read(wire.MsgNewKeys)
	if err != nil {
		return err
	}
	if x.first && !c.cfg.Client && !answered {
		// Our reply went with this flush, and NEWKEYS is the answer to it.
		c.sample(c.cfg.Now().Sub(begun))
	}
	if len(p) != 1 {
		return wire.Disconnectf(wire.ReasonProtocolError, "NEWKEYS with content")
	}
	c.cfg.trace(1, "SSH2_MSG_NEWKEYS received")
	c.in.newKeys(opener, c.strict)
	c.in.inflate = nil
	if c.compresses(x.algs.Read.Compression) {
		c.in.inflate = compression.NewDecompressor()
	}
	return nil
}

// compresses reports whether the method is at work from NEWKEYS on. Its context
// begins anew with each exchange (RFC 4253 §6.2).
func (c *Conn) compresses(method string) bool {
	return method == zlibPlain || method == zlibDelayed && c.authenticated
}

// peerKex is the server's key exchange list, decoded again: it is needed once.
func (x *exchange) peerKex() []string {
	var m wire.KexInit
	if m.Decode(x.transcript.ServerKexInit) != nil {
		return nil
	}
	return m.Kex
}

// rekeyBound is what may go under one key of the cipher.
func rekeyBound(c *cipher.Cipher) uint64 {
	if n := c.RekeyBlocks() * uint64(max(c.BlockSize, 8)); n > 0 {
		return n
	}
	return math.MaxUint64
}

// rekeyLimit bounds what goes under one key: the cipher's own bound or what the
// configuration says, if that is less; 0 for no bound.
func (c *Conn) rekeyLimit() uint64 {
	limit := c.bound
	if n := c.rekeyBytes; n > 0 {
		limit = min(limit, n)
	}
	if limit == math.MaxUint64 {
		return 0
	}
	return limit
}

// SetRekeyBytes replaces Config.RekeyBytes, from the present keys on. It is the
// reader's.
func (c *Conn) SetRekeyBytes(n uint64) {
	c.rekeyBytes = n
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.in.limit = c.rekeyLimit()
	c.out.limit = c.in.limit
}
