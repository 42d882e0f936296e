package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Constraint types (RFC 9987 §5.2).
const (
	constrainLifetime  = 1
	constrainConfirm   = 2
	constrainExtension = 255
)

// Names of OpenSSH's constraint extensions.
const (
	ConstraintRestrictDestination = "restrict-destination-v00@openssh.com"
	ConstraintSKProvider          = "sk-provider@openssh.com"
	ConstraintAssociatedCerts     = "associated-certs-v00@openssh.com"
)

// Limits of constraints.
const (
	MaxDestinations    = 1024 // destination constraints of one key
	MaxAssociatedCerts = 1024
	maxUserPattern     = 256 // bytes (AGT-8)
	maxExtensions      = 8   // constraint extensions of one key
)

// appendConstraints appends what restricts a key.
func appendConstraints(b []byte, lifetime uint32, confirm bool, ext []ConstraintExtension) []byte {
	if lifetime != 0 {
		b = wire.AppendUint32(append(b, constrainLifetime), lifetime)
	}
	if confirm {
		b = append(b, constrainConfirm)
	}
	for _, e := range ext {
		b = wire.AppendText(append(b, constrainExtension), e.ExtensionName)
		if e.ExtensionName == ConstraintAssociatedCerts {
			b = append(b, e.ExtensionDetails...)
		} else {
			b = wire.AppendString(b, e.ExtensionDetails)
		}
	}
	return b
}

// readConstraints reads constraints to the end of the message. A constraint of
// unknown type makes all of them unreadable, since its length is not known; one
// that stands there twice is an error, as is a lifetime of nothing.
func readConstraints(r *wire.Reader) (lifetime uint32, confirm bool, ext []ConstraintExtension, err error) {
	for r.Len() > 0 && err == nil {
		switch t := r.Byte(); t {
		case constrainLifetime:
			if lifetime != 0 {
				err = errors.New("two lifetimes")
			} else if lifetime = r.Uint32(); lifetime == 0 && r.Err() == nil {
				err = errors.New("no lifetime")
			}
		case constrainConfirm:
			if confirm {
				err = errors.New("confirmation twice")
			}
			confirm = true
		case constrainExtension:
			e := ConstraintExtension{ExtensionName: r.Text()}
			if e.ExtensionName == ConstraintAssociatedCerts {
				only := r.Byte()
				e.ExtensionDetails = wire.AppendString([]byte{only}, r.String())
			} else {
				e.ExtensionDetails = append([]byte{}, r.String()...)
			}
			for _, other := range ext {
				if other.ExtensionName == e.ExtensionName {
					err = fmt.Errorf("%q twice", e.ExtensionName)
				}
			}
			if len(ext) == maxExtensions {
				err = wire.ErrTooMany
			}
			ext = append(ext, e)
		default:
			err = fmt.Errorf("constraint of unknown type %d", t)
		}
		if r.Err() != nil {
			err = r.Err()
		}
	}
	if err != nil {
		return 0, false, nil, malformed(err)
	}
	return lifetime, confirm, ext, nil
}

// HopKey is a key by which a host is known. With CA set it is that of an
// authority for host certificates.
type HopKey struct {
	Key pubkey.PublicKey
	CA  bool
}

// Hop is one end of a permitted step: a host, by its keys, and on the far end
// optionally a pattern for the user. Host is the name that a certificate must
// be for, and else for people.
type Hop struct {
	User string
	Host string
	Keys []HopKey
}

// Destination permits a key to be used from one host to another. An empty From
// is the machine that the agent runs on.
type Destination struct{ From, To Hop }

// check refuses what OpenSSH refuses.
func (d *Destination) check() error {
	switch {
	case d.From.User != "":
		return errors.New("a user on the near end")
	case (d.From.Host == "") != (len(d.From.Keys) == 0):
		return errors.New("near end with a name or with keys only")
	case d.To.Host == "" || len(d.To.Keys) == 0:
		return errors.New("far end without name or keys")
	case len(d.To.User) > maxUserPattern:
		return fmt.Errorf("user pattern of %d bytes", len(d.To.User))
	}
	return nil
}

func (h *Hop) append(b []byte) []byte {
	b = wire.AppendText(wire.AppendText(b, h.User), h.Host)
	b = wire.AppendText(b, "")
	for _, k := range h.Keys {
		b = wire.AppendBool(wire.AppendString(b, k.Key.Marshal()), k.CA)
	}
	return b
}

func readHop(b []byte) (h Hop, err error) {
	r := wire.NewReader(b)
	h.User, h.Host = r.Name(), r.Name()
	r.String() // reserved
	for r.Len() > 0 && r.Err() == nil {
		blob, ca := r.String(), r.Bool()
		if r.Err() != nil {
			break
		}
		k, err := pubkey.ParsePublicKey(blob)
		if err != nil {
			return h, err
		}
		if _, ok := k.(*pubkey.Certificate); ok {
			return h, errors.New("host's key is a certificate")
		}
		h.Keys = append(h.Keys, HopKey{k, ca})
	}
	return h, r.Err()
}

// RestrictDestination is the constraint extension that lets a key be used for
// the given steps only.
func RestrictDestination(l []Destination) (ConstraintExtension, error) {
	if len(l) == 0 || len(l) > MaxDestinations {
		return ConstraintExtension{}, fmt.Errorf("%w: %d destinations, not 1 to %d", ErrConstraint, len(l), MaxDestinations)
	}
	var b []byte
	for i := range l {
		if err := l[i].check(); err != nil {
			return ConstraintExtension{}, fmt.Errorf("%w: destination: %w", ErrConstraint, err)
		}
		c := wire.AppendString(nil, l[i].From.append(nil))
		c = wire.AppendString(c, l[i].To.append(nil))
		b = wire.AppendString(b, wire.AppendText(c, ""))
	}
	return ConstraintExtension{ConstraintRestrictDestination, b}, nil
}

// ParseRestrictDestination reads the details of a destination constraint.
func ParseRestrictDestination(details []byte) ([]Destination, error) {
	r := wire.NewReader(details)
	var l []Destination
	for r.Len() > 0 {
		if len(l) == MaxDestinations {
			return nil, malformed(wire.ErrTooMany)
		}
		c := wire.NewReader(r.String())
		from, to := c.String(), c.String()
		c.String() // reserved
		if err := errors.Join(r.Err(), c.Done()); err != nil {
			return nil, malformed(err)
		}
		var d Destination
		var err error
		if d.From, err = readHop(from); err == nil {
			if d.To, err = readHop(to); err == nil {
				err = d.check()
			}
		}
		if err != nil {
			return nil, malformed(fmt.Errorf("destination: %w", err))
		}
		l = append(l, d)
	}
	if len(l) == 0 {
		return nil, malformed(errors.New("no destination"))
	}
	return l, nil
}

// SKProvider is the constraint extension that names the middleware of a
// security key; "internal" is the agent's own.
func SKProvider(path string) ConstraintExtension {
	return ConstraintExtension{ConstraintSKProvider, []byte(path)}
}

// AssociatedCerts is the constraint extension that gives a provider's keys
// their certificates. With certsOnly the bare keys are not added.
func AssociatedCerts(certs []*pubkey.Certificate, certsOnly bool) ConstraintExtension {
	var l []byte
	for _, c := range certs {
		l = wire.AppendString(l, c.Marshal())
	}
	return ConstraintExtension{ConstraintAssociatedCerts, wire.AppendString(wire.AppendBool(nil, certsOnly), l)}
}

// ParseAssociatedCerts reads the details of an associated-certs constraint.
func ParseAssociatedCerts(details []byte) (certs []*pubkey.Certificate, certsOnly bool, err error) {
	r := wire.NewReader(details)
	certsOnly = r.Bool()
	l := wire.NewReader(r.String())
	if err := r.Done(); err != nil {
		return nil, false, malformed(err)
	}
	for l.Len() > 0 {
		if len(certs) == MaxAssociatedCerts {
			return nil, false, malformed(wire.ErrTooMany)
		}
		blob := l.String()
		if err := l.Err(); err != nil {
			return nil, false, malformed(err)
		}
		k, err := pubkey.ParsePublicKey(blob)
		if err != nil {
			return nil, false, malformed(err)
		}
		c, ok := k.(*pubkey.Certificate)
		if !ok {
			return nil, false, malformed(errors.New("a plain key among certificates"))
		}
		certs = append(certs, c)
	}
	return certs, certsOnly, nil
}

// matchHop reports whether a host that showed key is the hop's: by the key
// itself, or by a certificate for its name. ca checks the certificate.
func (h *Hop) match(key pubkey.PublicKey, ca func(c *pubkey.Certificate, authority pubkey.PublicKey, host string) bool) bool {
	cert, isCert := key.(*pubkey.Certificate)
	for _, k := range h.Keys {
		if !isCert {
			if !k.CA && pubkey.Equal(key, k.Key) {
				return true
			}
		} else if k.CA && ca(cert, k.Key, h.Host) {
			return true
		}
	}
	return false
}

// String writes a destination as `ssh-add -h` takes it, for messages.
func (d *Destination) String() string {
	var b strings.Builder
	if d.From.Host != "" {
		b.WriteString(d.From.Host + ">")
	}
	if d.To.User != "" {
		b.WriteString(d.To.User + "@")
	}
	b.WriteString(d.To.Host)
	return b.String()
}
