package userauth

import (
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Kind is the kind of an Event.
type Kind uint8

// Kinds of events, in the order in which they commonly come.
const (
	TraceServiceAccept Kind = iota // SERVICE_ACCEPT came
	TraceContinue                  // FAILURE came: Methods can continue
	TracePartial                   // and Method succeeded
	TraceNextMethod                // Method is tried next
	TraceOffer                     // Key is offered, with Algorithm
	TraceTryPrivate                // Key's public half is not known: its private one is loaded
	TraceAccepted                  // the server would take Key
	TraceNoAlgorithm               // Key is skipped: no algorithm that both sides take
	TraceOtherKey                  // the server answered for a key that was not offered; Key is skipped
	TraceSignFailed                // Key is skipped: it could not be loaded or did not sign (Err)
	TraceNoMoreMethods             // nothing is left
)

// Event is something the person at -v may want to know.
type Event struct {
	Kind      Kind
	Method    string
	Methods   []string // from the server: printable ASCII
	Key       *Key
	Algorithm string
	Err       error
}

// Level is OpenSSH's level for the event: 1 for debug1, 0 for verbose, -1 for
// an error that is always shown.
func (e Event) Level() int {
	switch e.Kind {
	case TracePartial:
		return 0
	case TraceSignFailed, TraceOtherKey:
		return -1
	}
	return 1
}

// Text is OpenSSH's line for the event, without its prefix. fingerprint is
// pubkey.FingerprintSHA256 or what FingerprintHash asks for. A key's name is
// the caller's, or an agent's comment: escape it.
func (e Event) Text(fingerprint func(pubkey.PublicKey) string) string {
	switch e.Kind {
	case TraceServiceAccept:
		return "SSH2_MSG_SERVICE_ACCEPT received"
	case TraceContinue:
		return "Authentications that can continue: " + strings.Join(e.Methods, ",")
	case TracePartial:
		return `Authenticated using "` + e.Method + `" with partial success.`
	case TraceNextMethod:
		return "Next authentication method: " + e.Method
	case TraceOffer:
		return "Offering public key: " + e.Key.Describe(fingerprint)
	case TraceTryPrivate:
		return "Trying private key: " + e.Key.Name
	case TraceAccepted:
		return "Server accepts key: " + e.Key.Describe(fingerprint)
	case TraceNoAlgorithm:
		return "send_pubkey_test: no mutual signature algorithm"
	case TraceOtherKey:
		return "server replied with unknown key"
	case TraceSignFailed:
		text := "signing failed for " + e.Key.Describe(fingerprint)
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
		return text
	case TraceNoMoreMethods:
		return "No more authentication methods to try."
	}
	return ""
}
