//go:build !linux

package account

import (
	"errors"
	"net/netip"
	"time"
)

// ErrNoEntry says that nobody was on the terminal, as far as utmp knows.
var ErrNoEntry = errors.New("account: no entry of the terminal in utmp")

// ErrExcess says that a file of failed logins is open to too many.
var ErrExcess = errors.New("Excess permission or bad ownership on file")

// SystemRecords are none: this system keeps them in a way of its own.
func SystemRecords() *Records { return nil }

// Login writes nothing.
func (r *Records) Login(Entry) error { return nil }

// Logout writes nothing.
func (r *Records) Logout(string, int, time.Time) error { return nil }

// LastLogin knows nothing.
func (r *Records) LastLogin(string, uint32) (time.Time, string) { return time.Time{}, "" }

// Failed writes nothing.
func (r *Records) Failed(string, string, netip.Addr, int, time.Time) error { return nil }
