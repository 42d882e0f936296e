//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// tokens are what percent signs stand for in the server's configuration.
type tokens map[byte]string

func userTokens(a *account.Account) tokens {
	return tokens{'u': a.Name, 'U': strconv.FormatUint(uint64(a.UID), 10), 'h': a.Home, 'D': ""}
}

// setKey adds the tokens of an offered key.
func (t *tokens) setKey(cfg *sshconfig.Server, key pubkey.PublicKey) {
	all := tokens{}
	for c, v := range *t {
		all[c] = v
	}
	all['t'], all['k'], all['f'] = key.Type(), base64.StdEncoding.EncodeToString(key.Marshal()), Fingerprint(cfg.FingerprintHash, key)
	if cert, ok := key.(*pubkey.Certificate); ok {
		ca := cert.SignatureKey
		all['T'], all['K'], all['F'] = ca.Type(), base64.StdEncoding.EncodeToString(ca.Marshal()), Fingerprint(cfg.FingerprintHash, ca)
		all['i'], all['s'] = cert.KeyId, strconv.FormatUint(cert.Serial, 10)
	}
	*t = all
}

// expand replaces the tokens whose letters are in allowed, and %%. What a
// token stands for is not expanded again.
func (t tokens) expand(s, allowed string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("%s: a percent sign at the end", s)
		}
		v, ok := t[s[i]]
		switch {
		case s[i] == '%':
			b.WriteByte('%')
		case ok && strings.IndexByte(allowed, s[i]) >= 0:
			b.WriteString(v)
		default:
			return "", fmt.Errorf("%s: unknown key %%%c", s, s[i])
		}
	}
	return b.String(), nil
}
