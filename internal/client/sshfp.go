package client

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/ssh"
)

// Resolver asks a name server for SSHFP records (RFC 4255), which the system's
// resolver does not do: nor does that say whether an answer was validated.
type Resolver struct {
	Servers []netip.AddrPort
	// TrustAD says that the way to the servers is safe: only then does their
	// word count that they have validated an answer.
	TrustAD  bool
	Timeout  time.Duration // of one question; 0 is 5 s
	Attempts int           // of all servers; 0 is 2
}

// Bounds of what a name server may say.
const (
	dnsUDPSize  = 1232 // what fits a packet on every path
	maxSSHFP    = 64   // records that are looked at
	dnsAttempts = 2
	dnsTimeout  = 5 * time.Second
	typeSSHFP   = dnsmessage.Type(44)
	dnsPort     = 53
)

// A Fingerprint record is what DNS says of a host key.
type fingerprintRecord struct {
	algorithm, hash byte
	digest          []byte
}

// SystemResolver is what resolv.conf(5) says.
func SystemResolver(file string, getenv func(string) string) *Resolver {
	r := &Resolver{}
	data, _ := os.ReadFile(file)
	options := ""
	local := true
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(r.Servers) < 3 {
				r.Servers = append(r.Servers, netip.AddrPortFrom(a, dnsPort))
				local = local && a.IsLoopback()
			}
		case "options":
			options += " " + strings.Join(fields[1:], " ")
		}
	}
	if getenv != nil {
		options += " " + getenv("RES_OPTIONS")
	}
	if len(r.Servers) == 0 {
		r.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort)}
	}
	r.TrustAD = local
	for o := range strings.FieldsSeq(options) {
		name, value, _ := strings.Cut(o, ":")
		n, err := strconv.Atoi(value)
		switch {
		case name == "trust-ad":
			r.TrustAD = true
		case name == "timeout" && err == nil && n > 0:
			r.Timeout = time.Duration(min(n, 30)) * time.Second
		case name == "attempts" && err == nil && n > 0:
			r.Attempts = min(n, 5)
		}
	}
	return r
}

// Errors of questions, in the words that OpenSSH's log has for them.
var (
	errNoName = errors.New("name does not exist")
	errNoData = errors.New("data does not exist")
	errDNS    = errors.New("general failure")
)

// lookup asks for the records of a host. secure says that they were validated.
func (r *Resolver) lookup(ctx context.Context, host string) (records []fingerprintRecord, secure bool, err error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, false, errDNS
	}
	attempts := r.Attempts
	if attempts == 0 {
		attempts = dnsAttempts
	}
	for range attempts {
		for _, server := range r.Servers {
			var answer []byte
			if answer, err = r.ask(ctx, server, name); err == nil {
				records, secure, err = r.read(answer)
			}
			if err == nil || err == errNoName || err == errNoData || ctx.Err() != nil {
				return records, secure, err
			}
		}
	}
	return nil, false, errDNS
}

// ask sends one question by UDP, and by TCP where the answer was cut.
func (r *Resolver) ask(ctx context.Context, server netip.AddrPort, name dnsmessage.Name) ([]byte, error) {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = dnsTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var id [2]byte
	rand.Read(id[:])
	q := dnsmessage.Question{Name: name, Type: typeSSHFP, Class: dnsmessage.ClassINET}
	var edns dnsmessage.ResourceHeader
	if err := edns.SetEDNS0(dnsUDPSize, dnsmessage.RCodeSuccess, true); err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true, AuthenticData: true},
		Questions:   []dnsmessage.Question{q},
		Additionals: []dnsmessage.Resource{{Header: edns, Body: &dnsmessage.OPTResource{}}},
	}
	packet, err := m.Pack()
	if err != nil {
		return nil, err
	}
	for _, network := range [...]string{"udp", "tcp"} {
		answer, cut, err := exchange(ctx, network, server, packet, m.ID, q)
		if err != nil || !cut {
			return answer, err
		}
	}
	return nil, errDNS
}

// exchange sends packet and waits for the answer to it, passing over others.
func exchange(ctx context.Context, network string, server netip.AddrPort, packet []byte, id uint16, q dnsmessage.Question) (answer []byte, cut bool, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, false, err
	}
	defer c.Close()
	if t, ok := ctx.Deadline(); ok {
		c.SetDeadline(t)
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	if _, err := c.Write(packet); err != nil {
		return nil, false, err
	}
	buf := make([]byte, 64<<10)
	for {
		n := 0
		if network == "tcp" {
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return nil, false, err
			}
			n = int(binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, buf[:n]); err != nil {
				return nil, false, err
			}
		} else if n, err = c.Read(buf); err != nil {
			return nil, false, err
		}
		var p dnsmessage.Parser
		h, err := p.Start(buf[:n])
		if err != nil || h.ID != id || !h.Response {
			continue
		}
		if got, err := p.Question(); err != nil || got.Type != q.Type || got.Class != q.Class || !strings.EqualFold(got.Name.String(), q.Name.String()) {
			continue
		}
		return buf[:n], h.Truncated && network == "udp", nil
	}
}

// read takes the records out of an answer.
func (r *Resolver) read(answer []byte) (records []fingerprintRecord, secure bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(answer)
	switch {
	case err != nil:
		return nil, false, errDNS
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, false, errNoName
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, false, errDNS
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, false, errDNS
	}
	for {
		rr, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil {
			return nil, false, errDNS
		}
		if rr.Type != typeSSHFP || rr.Class != dnsmessage.ClassINET {
			if err := p.SkipAnswer(); err != nil {
				return nil, false, errDNS
			}
			continue
		}
		body, err := p.UnknownResource()
		if err != nil {
			return nil, false, errDNS
		}
		if len(body.Data) > 2 && len(records) < maxSSHFP {
			records = append(records, fingerprintRecord{body.Data[0], body.Data[1], body.Data[2:]})
		}
	}
	if len(records) == 0 {
		return nil, false, errNoData
	}
	return records, h.AuthenticData && r.TrustAD, nil
}

// dnsVerdict is what DNS says about a key.
type dnsVerdict struct{ found, match, secure bool }

// verifyDNS looks a key up in DNS, certificates by their plain key. One record
// that speaks against the key outweighs those that speak for it.
func (h *HostKeys) verifyDNS(ctx context.Context, key ssh.PublicKey) dnsVerdict {
	host := h.Conf.Hostname
	if _, err := netip.ParseAddr(host); err == nil {
		h.Log.Debug1("skipped DNS lookup for numerical hostname")
		return dnsVerdict{}
	}
	resolver := h.Resolver
	if resolver == nil {
		resolver = SystemResolver("/etc/resolv.conf", h.Ask.getenv)
	}
	records, secure, err := resolver.lookup(ctx, host)
	if err != nil {
		h.Log.Verbose("DNS lookup error: %s", err)
		return dnsVerdict{}
	}
	word := "insecure"
	if secure {
		word = "secure"
	}
	h.Log.Debug1("found %d %s fingerprints in DNS", len(records), word)
	v := dnsVerdict{found: true, secure: secure}
	failed := false
	algorithm, blob := sshfpAlgorithm(key), pubkey.Plain(key).Marshal()
	for _, r := range records {
		var digest []byte
		switch r.hash {
		case 1:
			d := sha1.Sum(blob)
			digest = d[:]
		case 2:
			d := sha256.Sum256(blob)
			digest = d[:]
		}
		if algorithm == 0 || r.algorithm != algorithm || digest == nil || len(digest) != len(r.digest) {
			continue
		}
		if subtle.ConstantTimeCompare(digest, r.digest) == 1 {
			v.match = true
		} else {
			failed = true
		}
	}
	v.match = v.match && !failed
	if v.match {
		h.Log.Debug1("matching host key fingerprint found in DNS")
	} else {
		h.Log.Debug1("mismatching host key fingerprint found in DNS")
	}
	return v
}

// sshfpAlgorithm is a key type's number in DNS, 0 for those without one.
func sshfpAlgorithm(key ssh.PublicKey) byte {
	switch pubkey.TypeName(pubkey.Plain(key)) {
	case "RSA":
		return 1
	case "ECDSA":
		return 3
	case "ED25519":
		return 4
	}
	return 0
}
