package userauth

import (
	"encoding/base64"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// KeyDetails describes a key as OpenSSH's log lines do: "ED25519 SHA256:…",
// for a certificate "ED25519-CERT SHA256:… ID KEYID (serial N) CA RSA
// SHA256:…". fingerprint is pubkey.FingerprintSHA256 or what FingerprintHash
// asks for. A certificate's key id is its maker's raw text: escape it.
func KeyDetails(key pubkey.PublicKey, fingerprint func(pubkey.PublicKey) string) string {
	text := pubkey.TypeName(key) + " " + fingerprint(key)
	if cert, ok := key.(*pubkey.Certificate); ok {
		text += fmt.Sprintf(" ID %s (serial %d) CA %s %s", cert.KeyId, cert.Serial,
			pubkey.TypeName(cert.SignatureKey), fingerprint(cert.SignatureKey))
	}
	return text
}

// Line is the method as the file named by SSH_USER_AUTH and PAM's
// SSH_AUTH_INFO_0 show it, without a line feed: "METHOD[/SUB][ TYPE BASE64][ INFO]".
func (c Completed) Line() string {
	text := c.Method
	if c.Submethod != "" {
		text += "/" + c.Submethod
	}
	if c.Key != nil {
		text += " " + c.Key.Type() + " " + base64.StdEncoding.EncodeToString(c.Key.Marshal())
	}
	if c.Info != "" {
		text += " " + c.Info
	}
	return text
}
