//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Methods, in the words of RFC 4252 and 4256.
const (
	methodNone        = "none"
	methodPublicKey   = "publickey"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
	methodHostbased   = "hostbased"
)

// Errors of attempts that fail. Their texts are for the log alone.
var (
	// ErrRefused says that the credential does not let the user in.
	ErrRefused = errors.New("auth: refused")
	// ErrOrder says that a question came out of order: before the name is
	// known, about another key than the one that was allowed, after the end.
	ErrOrder = errors.New("auth: question out of order")
	errTwice = errors.New("auth: the user is named twice")
)

// Fatal ends the connection; why has been logged.
type Fatal struct {
	RefuseConnection bool // by that keyword
	// Banner is text for the user, sent before the connection is dropped.
	Banner string
	// Disconnect is the text of a DISCONNECT of reason 2, "" for none.
	Disconnect string
	Err        error
}

func (e *Fatal) Error() string { return "auth: connection refused: " + e.Err.Error() }

// Unwrap is the cause.
func (e *Fatal) Unwrap() error { return e.Err }

// Policy is what the network room is told of the configuration for the user.
// It has the same shape for users that do not exist.
type Policy struct {
	Config *sshconfig.Server // as matched
	User   string            // without style
	Banner string            // text to send before the first answer
	// Methods are the lists of AuthenticationMethods, of those that can be
	// fulfilled; nil when any one method is enough. Devices are those of
	// keyboard-interactive.
	Methods [][]string
	Devices []string
	// None, Password, PublicKey and Hostbased say whether the methods exist.
	None, Password, PublicKey, Hostbased bool
	PermitEmptyPasswords                 bool
	MaxAuthTries                         int
}

// Event is how a connection ended that did not log in, as the engine of
// penalties counts.
type Event uint8

// Events.
const (
	EventNone             Event = iota // logged in
	EventNoAuth                        // left without an attempt
	EventAuthFail                      // at least one attempt
	EventInvalidUser                   // only keys or none, for a name that does not exist
	EventRefuseConnection              // RefuseConnection matched
)

// Visitor is one connection on its way to a login.
type Visitor struct {
	h                     *Host
	lines                 Lines
	rdomain               string
	remote, local         string
	remotePort, localPort int
	addr                  netip.Addr // zero when unknown

	mu      sync.Mutex
	cfg     *sshconfig.Server // as matched; the global one before
	host    string            // the client's name with UseDNS, else its address
	met     bool
	user    string // without style
	style   string
	account *account.Account // nil: nobody has the name
	shadow  *account.Shadow  // nil: not there, or not to be read
	valid   bool             // account is set and the login may succeed
	refused bool             // by RefuseConnection

	attempted bool // a credential was looked at
	requests  int  // methods that were tried
	failures  int
	left      userauth.MethodLists // that are still to be completed

	offered   *offer                     // what KeyAllowed or HostbasedAllowed said yes to last
	used      map[string]bool            // plain blobs of verified keys
	options   *keyfile.AuthorizedOptions // of all keys verified so far; nil without one
	completed []userauth.Completed
	last      *attempt // the one that completed the lists
	login     *Login
	dead      bool // nothing may succeed any more

	triedNone  bool
	noSecrets  bool // passwords and dialogues are over
	ageChecked bool
	expired    bool     // the password must be changed
	messages   []string // for the user's first shell

	helper      *helper  // PAM's
	pamTexts    []string // of modules, for the user before SUCCESS
	accountDone bool     // PAM's account phase was passed
	noAccount   bool     // and was not, in a dialogue
}

// offer is a key that may log in once its signature is verified.
type offer struct {
	blob, algorithm string
	hostbased       string // the client's user and host; "" for publickey
	options         *keyfile.AuthorizedOptions
}

// attempt is one method's success or failure.
type attempt struct {
	method, sub string
	key         pubkey.PublicKey
	info        string
}

// from is "A port P".
func (v *Visitor) from() string { return v.remote + " port " + portText(v.remotePort) }

// invalid is the word in front of a name that cannot log in.
func (v *Visitor) invalid() string {
	if v.valid {
		return ""
	}
	return "invalid user "
}

// tell writes OpenSSH's line about an attempt: "OUTCOME METHOD for U from A
// port P ssh2: KEY, INFO".
func (v *Visitor) tell(outcome userauth.Outcome, a *attempt) {
	level := sshconfig.Verbose
	if outcome == userauth.Accepted || !v.valid || v.failures >= v.cfg.MaxAuthTries/2 || a.method == methodPassword {
		level = sshconfig.Info
	}
	method := a.method
	if a.sub != "" {
		method += "/" + a.sub
	}
	extra := ""
	if a.key != nil {
		extra = ": " + userauth.KeyDetails(a.key, v.fingerprint)
		if a.info != "" {
			extra += ", " + a.info
		}
	} else if a.info != "" {
		extra = ": " + a.info
	}
	say := v.lines.Logf
	if outcome == userauth.Postponed {
		say = v.lines.Pref
	}
	say(level, "%s %s for %s%s from %s ssh2%s", outcome, method, v.invalid(), v.user, v.from(), extra)
}

func (v *Visitor) fingerprint(key pubkey.PublicKey) string {
	return Fingerprint(v.cfg.FingerprintHash, key)
}

// begin is at the head of every attempt: whether one may be made now.
func (v *Visitor) begin(method, sub string) error {
	switch {
	case !v.met, v.dead, v.login != nil, v.last != nil:
		return ErrOrder
	case v.failures >= v.cfg.MaxAuthTries:
		v.dead = true
		v.lines.Logf(sshconfig.Fatal, "too many authentication attempts of %s%s from %s", v.invalid(), v.user, v.from())
		return &Fatal{Err: userauth.ErrTooManyFailures}
	case !v.left.Allows(method, sub):
		return fmt.Errorf("%w: %s is not allowed now", ErrRefused, method)
	}
	return nil
}

// fail settles an attempt that failed, with its line.
func (v *Visitor) fail(a *attempt, err error) error {
	v.tell(userauth.Failed, a)
	v.failures++
	if err == nil {
		err = ErrRefused
	}
	return err
}

// succeed settles an attempt that succeeded: root must be allowed by it, its
// options must go with the others', and the lists advance. Whether the user is
// in is for Authorize to say.
func (v *Visitor) succeed(a *attempt, o *keyfile.AuthorizedOptions) error {
	if !v.valid {
		return v.fail(a, nil)
	}
	all := v.options
	if o != nil {
		if all = o; v.options != nil {
			var err error
			if all, err = v.options.Merge(o); err != nil {
				v.lines.Logf(sshconfig.Error, "%s", err)
				return v.fail(a, err)
			}
		}
	}
	if !v.rootMay(a.method, all) {
		return v.fail(a, nil)
	}
	finished, found := v.left.Complete(a.method, a.sub)
	if !found {
		return v.fail(a, nil)
	}
	v.options = all
	if a.key != nil && a.method == methodPublicKey {
		if v.used == nil {
			v.used = map[string]bool{}
		}
		v.used[plain(a.key)] = true
	}
	v.completed = append(v.completed, userauth.Completed{Method: a.method, Submethod: a.sub, Key: a.key, Info: a.info})
	if finished {
		v.last = a
		return nil
	}
	v.tell(userauth.Partial, a)
	return nil
}

// rootMay applies PermitRootLogin; it goes by the number, not by the name.
func (v *Visitor) rootMay(method string, o *keyfile.AuthorizedOptions) bool {
	if v.account.UID != 0 {
		return true
	}
	secret := method == methodPassword || method == methodInteractive || method == methodNone
	switch v.cfg.PermitRootLogin {
	case sshconfig.RootYes:
		return true
	case sshconfig.RootProhibitPassword:
		if !secret {
			return true
		}
	case sshconfig.RootForcedCommandsOnly:
		if !secret && o != nil && o.Command != nil {
			v.lines.Logf(sshconfig.Info, "Root login accepted for forced command.")
			return true
		}
	}
	v.lines.Logf(sshconfig.Info, "ROOT LOGIN REFUSED FROM %s", v.from())
	return false
}

// Failed counts a failure that was decided elsewhere: a key that could not be
// read, a method that does not exist. It has no line, as in OpenSSH.
func (v *Visitor) Failed(method string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.met {
		return
	}
	if v.requests++; method == methodNone && v.requests == 1 {
		return
	}
	v.failures++
}

// Nobody is Meet for a name that cannot be anybody's, because of its length or
// its bytes: it is logged, and nothing can succeed.
func (v *Visitor) Nobody(user string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.met {
		return
	}
	v.met, v.user, v.dead = true, user, true
	v.lines.Logf(sshconfig.Info, "Invalid user %s from %s", user, v.from())
}

// TooMany writes the line of a connection that used up its tries.
func (v *Visitor) TooMany() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines.Pref(sshconfig.Error, "maximum authentication attempts exceeded for %s%s from %s ssh2", v.invalid(), v.user, v.from())
}

// Whom is how lines about the connection's end name the client: "user U A port
// P", "authenticating user …", "invalid user …", or the address alone.
func (v *Visitor) Whom() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case !v.met:
		return v.from()
	case v.login != nil:
		return "user " + v.user + " " + v.from()
	case v.valid:
		return "authenticating user " + v.user + " " + v.from()
	}
	return "invalid user " + v.user + " " + v.from()
}

// End closes what the judgement held open and says how the connection is to be
// counted. A login that was authorized stays open.
func (v *Visitor) End(context.Context) Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead = true
	if v.login != nil {
		return EventNone
	}
	if v.helper != nil {
		v.helper.close()
		v.helper = nil
	}
	switch {
	case v.refused:
		return EventRefuseConnection
	case v.attempted:
		return EventAuthFail
	case v.met && v.account == nil:
		return EventInvalidUser
	}
	return EventNoAuth
}
