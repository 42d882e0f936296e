package agent

import (
	"bytes"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// authRequest is what a client signs to log in with a public key (RFC 4252 §7,
// and OpenSSH's method that names the host key too).
type authRequest struct {
	SessionID []byte
	User      string
	HostKey   pubkey.PublicKey // nil unless it is the host-bound method
}

// parseAuthRequest reads data that is to be signed as such a request for key;
// false if it is anything else.
func parseAuthRequest(data []byte, key pubkey.PublicKey) (*authRequest, bool) {
	r := wire.NewReader(data)
	a := &authRequest{SessionID: r.String()}
	number := r.Byte()
	a.User = r.Name()
	service, method := r.Text(), r.Text()
	signed := r.Byte()
	algorithm, blob := r.Text(), r.String()
	hostBound := method == "publickey-hostbound-v00@openssh.com"
	if hostBound {
		host := r.String()
		if r.Err() == nil {
			var err error
			if a.HostKey, err = pubkey.ParsePublicKey(host); err != nil {
				return nil, false
			}
		}
	}
	ok := r.Done() == nil && len(a.SessionID) > 0 && number == wire.MsgUserauthRequest &&
		service == "ssh-connection" && (hostBound || method == "publickey") && signed == 1 &&
		bytes.Equal(blob, key.Marshal()) && pubkey.CheckAlgorithm(key, nil, algorithm) == nil
	return a, ok
}

// isSSHSIG reports whether data is what `ssh-keygen -Y sign` signs.
func isSSHSIG(data []byte) bool {
	const magic = "SSHSIG"
	if !bytes.HasPrefix(data, []byte(magic)) {
		return false
	}
	r := wire.NewReader(data[len(magic):])
	namespace := r.String()
	r.String() // reserved
	hash := r.String()
	r.String() // the message's hash
	return r.Done() == nil && len(namespace) > 0 && len(hash) > 0
}
