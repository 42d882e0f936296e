package userauth

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Permissions is what a successful method allows and demands, in the words of
// certificates (extensions.md of OpenSSH: PROTOCOL.certkeys).
//
// A nil *Permissions means that the method says nothing about permissions.
// One that is not nil says everything: an extension that it does not name is
// denied.
type Permissions struct {
	// CriticalOptions restrict: force-command, source-address,
	// verify-required. An unknown one makes the attempt fail.
	CriticalOptions map[string]string
	// Extensions permit: permit-pty, permit-port-forwarding and so on.
	Extensions map[string]string
	// ExtraData is the caller's own.
	ExtraData map[any]any
}

// Critical options that this package knows.
const (
	optionForceCommand   = "force-command"
	optionSourceAddress  = "source-address"
	optionVerifyRequired = "verify-required"

	extensionNoTouch = "no-touch-required"
)

var (
	errSourceAddress  = errors.New("userauth: source address is not allowed")
	errSourceUnknown  = errors.New("userauth: source address is restricted and the peer's is not known")
	errOptionConflict = errors.New("userauth: critical options of two methods contradict each other")
)

// check refuses permissions that do not hold for this connection: an unknown
// critical option, or a source address that does not match (AUT-7). It runs
// once at the end of every method. known are options that the caller enforces.
func (p *Permissions) check(remote netip.Addr, known []string) error {
	if p == nil {
		return nil
	}
	for name, value := range p.CriticalOptions {
		switch name {
		case optionForceCommand, optionVerifyRequired:
		case optionSourceAddress:
			if err := checkSource(remote, value); err != nil {
				return err
			}
		default:
			if !slices.Contains(known, name) {
				return fmt.Errorf("userauth: unknown critical option %q", name)
			}
		}
	}
	return nil
}

// checkSource matches remote against a list of addresses and CIDR blocks.
func checkSource(remote netip.Addr, list string) error {
	if !remote.IsValid() {
		return errSourceUnknown
	}
	ok, err := pubkey.MatchSourceAddress(list, remote)
	if err != nil {
		return fmt.Errorf("userauth: source-address: %w", err)
	}
	if !ok {
		return errSourceAddress
	}
	return nil
}

// restrict returns the strictest union of what was collected so far and of
// the next method's permissions (AUT-6): all critical options of both, only
// the extensions that both name with the same value, extra data of the first
// that has it. Forced commands and other options must be equal where both have
// them; source addresses need not, because each was checked by itself.
func restrict(a, b *Permissions) (*Permissions, error) {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a, nil
	}
	out := &Permissions{CriticalOptions: map[string]string{}, Extensions: map[string]string{}}
	for name, value := range a.CriticalOptions {
		out.CriticalOptions[name] = value
	}
	for name, value := range b.CriticalOptions {
		first, both := out.CriticalOptions[name]
		switch {
		case !both:
			out.CriticalOptions[name] = value
		case first != value && name != optionSourceAddress:
			return nil, fmt.Errorf("%w: %q", errOptionConflict, name)
		}
	}
	for name, value := range a.Extensions {
		if second, both := b.Extensions[name]; both && second == value {
			out.Extensions[name] = value
		}
	}
	for _, m := range []map[any]any{a.ExtraData, b.ExtraData} {
		for k, v := range m {
			if out.ExtraData == nil {
				out.ExtraData = map[any]any{}
			}
			if _, has := out.ExtraData[k]; !has {
				out.ExtraData[k] = v
			}
		}
	}
	return out, nil
}

func (p *Permissions) critical(name string) bool {
	if p == nil {
		return false
	}
	_, has := p.CriticalOptions[name]
	return has
}

func (p *Permissions) extension(name string) bool {
	if p == nil {
		return false
	}
	_, has := p.Extensions[name]
	return has
}
