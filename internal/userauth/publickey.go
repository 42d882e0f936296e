package userauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// publicKeyRequest holds the fields of a publickey request behind the method's
// name (RFC 4252 §7), and of OpenSSH's host-bound one, which has the server's
// host key too. Slices alias the packet.
type publicKeyRequest struct {
	signed    bool
	algorithm string
	key       []byte
	hostBound bool // said by the method's name
	hostKey   []byte
	signature []byte
}

func (m *publicKeyRequest) decode(rest []byte) error {
	r := wire.NewReader(rest)
	m.signed, m.algorithm, m.key = r.Bool(), r.Text(), r.String()
	if m.hostBound {
		m.hostKey = r.String()
	}
	if m.signed {
		m.signature = r.String()
	}
	return r.Done()
}

// unsigned appends all fields but the signature.
func (m *publicKeyRequest) unsigned(b []byte) []byte {
	b = wire.AppendString(wire.AppendText(wire.AppendBool(b, m.signed), m.algorithm), m.key)
	if m.hostBound {
		b = wire.AppendString(b, m.hostKey)
	}
	return b
}

func (m *publicKeyRequest) append(b []byte) []byte {
	b = m.unsigned(b)
	if m.signed {
		b = wire.AppendString(b, m.signature)
	}
	return b
}

func (m *publicKeyRequest) method() string {
	if m.hostBound {
		return methodHostBound
	}
	return methodPublicKey
}

// signedData is what the signature is over: the session identifier and the
// request up to the signature.
func (m *publicKeyRequest) signedData(sessionID []byte, user, service string) []byte {
	b := make([]byte, 0, 128+len(sessionID)+len(m.key)+len(m.hostKey)+len(user))
	b = wire.AppendString(b, sessionID)
	req := wire.UserauthRequest{User: user, Service: service, Method: m.method()}
	return m.unsigned(req.Append(b))
}

// pkOK is USERAUTH_PK_OK.
type pkOK struct {
	algorithm string
	key       []byte
}

func (m *pkOK) append(b []byte) []byte {
	return wire.AppendString(wire.AppendText(append(b, wire.MsgUserauthPKOK), m.algorithm), m.key)
}

func (m *pkOK) decode(p []byte) error {
	r := wire.NewReader(p[1:])
	m.algorithm, m.key = r.Text(), r.String()
	return r.Done()
}

// KeyAttempt is a publickey request that KeyAllowed and KeyVerify decide on.
type KeyAttempt struct {
	Attempt
	Key       pubkey.PublicKey
	Algorithm string // declared, in SigAlgs, and fits the key
	Signed    bool   // false for a query
	HostBound bool   // the signature is over the server's host key too
}

// ErrKeyUsed is the log's reason for a key that already counted in this
// connection, by itself or in a certificate.
var ErrKeyUsed = errors.New("userauth: key was used before in this connection")

// Why a key was not looked at, for the log.
var (
	// ErrAlgorithm is of an algorithm that is unknown or not accepted.
	ErrAlgorithm = errors.New("userauth: public key algorithm is unknown or not accepted")
	// ErrKeySize is of an RSA key that is too short.
	ErrKeySize = errors.New("userauth: RSA key is too short")

	errCertType = errors.New("userauth: certificate is for another use")
)

// acceptKey decodes an offered key; a certificate must be of certType. What it
// does not like fails the attempt, not the connection (AUT-18).
func (s *server) acceptKey(algorithm string, blob []byte, accepted []string, certType uint32) (pubkey.PublicKey, error) {
	if accepted == nil {
		accepted = pubkey.DefaultHostKeyAlgorithms()
	}
	if !slices.Contains(accepted, algorithm) {
		return nil, fmt.Errorf("%w: %q", ErrAlgorithm, printable(algorithm, MaxMethodName))
	}
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return nil, err
	}
	if err := pubkey.CheckAlgorithm(key, nil, algorithm); err != nil {
		return key, err
	}
	if cert, ok := key.(*pubkey.Certificate); ok && cert.CertType != certType {
		return key, errCertType
	}
	least := s.cfg.MinRSABits
	if least == 0 {
		least = pubkey.MinRSABits
	}
	if bits := pubkey.RSABits(key); bits != 0 && bits < least {
		return key, fmt.Errorf("%w: %d bits, %d are needed", ErrKeySize, bits, least)
	}
	return key, nil
}

// checkSignature decodes a signature blob and holds its format against the
// declared algorithm.
func checkSignature(key pubkey.PublicKey, blob []byte, algorithm string) (*pubkey.Signature, error) {
	sig, err := pubkey.ParseSignature(blob)
	if err != nil {
		return nil, err
	}
	return sig, pubkey.CheckAlgorithm(key, sig, algorithm)
}

// plainBlob identifies a key: a certificate and the key it certifies are one.
func plainBlob(key pubkey.PublicKey) string {
	return string(pubkey.Plain(key).Marshal())
}

// withCertificate adds what a certificate restricts, whatever the callback
// made of it, and what a user certificate permits if the callback said nothing
// (AUT-7).
func withCertificate(key pubkey.PublicKey, perms *Permissions) (*Permissions, error) {
	cert, ok := key.(*pubkey.Certificate)
	if !ok {
		return perms, nil
	}
	own := &Permissions{CriticalOptions: cert.CriticalOptions, Extensions: cert.Extensions}
	if perms == nil {
		if cert.CertType == pubkey.HostCert && len(cert.CriticalOptions) == 0 {
			return nil, nil // it speaks of a host, not of what a user may do
		}
		return own, nil
	}
	all, err := restrict(perms, own)
	if err != nil {
		return nil, err
	}
	all.Extensions = perms.Extensions
	return all, nil
}

// publicKey answers a query or decides on a signature. Permissions come from
// KeyAllowed for the very key whose signature is then verified (AUT-5).
func (s *server) publicKey(ctx context.Context, r *attempt, a Attempt, m *wire.UserauthRequest, b *publicKeyRequest) {
	r.algorithm = b.algorithm
	r.key, r.err = s.acceptKey(b.algorithm, b.key, s.cfg.SigAlgs, pubkey.UserCert)
	if r.err != nil {
		return
	}
	if slices.Contains(s.used, plainBlob(r.key)) {
		r.err = ErrKeyUsed
		return
	}
	k := &KeyAttempt{Attempt: a, Key: r.key, Algorithm: b.algorithm, Signed: b.signed, HostBound: b.hostBound}
	defer func() { r.info = k.Info }()
	ok, err := allowed(s.cfg.KeyAllowed(ctx, k))
	if err != nil {
		r.err = err
		return
	}
	if !b.signed {
		r.outcome = Postponed
		reply := pkOK{b.algorithm, b.key}
		if err := s.c.WritePacket(reply.append(nil)); err != nil {
			r.outcome, s.fatal = Failed, err
		}
		return
	}
	s.proveKey(r, ok, b.signature, func(sig []byte) error {
		data := b.signedData(s.cfg.SessionID, m.User, m.Service)
		if s.cfg.KeyVerify != nil {
			return s.cfg.KeyVerify(ctx, k, data, sig)
		}
		return verify(r, ok, data, sig)
	})
}

// allowance is a key that may log in once its signature is verified.
type allowance struct {
	perms *Permissions
	more  *PartialSuccess // if it does not suffice
}

// allowed sorts the answer of KeyAllowed and HostbasedAllowed.
func allowed(perms *Permissions, err error) (*allowance, error) {
	a := &allowance{perms: perms}
	if errors.As(err, &a.more) {
		a.perms, err = a.more.Permissions, nil
	}
	return a, err
}

// proveKey verifies the signature of a key that is allowed and decides the
// attempt. The verifier may ask for more methods, too.
func (s *server) proveKey(r *attempt, ok *allowance, sig []byte, verifier func(sig []byte) error) {
	if ok.perms, r.err = withCertificate(r.key, ok.perms); r.err != nil {
		return
	}
	if _, r.err = checkSignature(r.key, sig, r.algorithm); r.err != nil {
		return
	}
	err := verifier(sig)
	var more *PartialSuccess
	if errors.As(err, &more) {
		ok.more = more
		ok.perms, err = restrict(ok.perms, more.Permissions)
	}
	if err == nil && ok.more != nil {
		err = &PartialSuccess{Permissions: ok.perms, Next: ok.more.Next}
	}
	r.decided(ok.perms, err)
}

// verify is what checks a signature when no callback does.
func verify(r *attempt, ok *allowance, data, blob []byte) error {
	sig, err := pubkey.ParseSignature(blob)
	if err != nil {
		return err
	}
	return pubkey.VerifyWith(r.key, data, sig, r.algorithm, pubkey.SKOptions{
		NoTouchRequired: ok.perms.extension(extensionNoTouch),
		VerifyRequired:  ok.perms.critical(optionVerifyRequired),
	})
}
