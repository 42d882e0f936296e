package ssh

import (
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/version"
)

// queries are the words that `ssh -Q help` lists.
var queries = [...]string{"cipher", "cipher-auth", "compression", "kex", "key", "key-cert", "key-plain", "key-sig", "mac", "protocol-version", "sig"}

// supported is the list of `ssh -Q kind`; nil for an unknown kind.
func supported(kind string) []string {
	var l []string
	switch kind {
	case "help":
		return queries[:]
	case "protocol-version":
		return []string{"2"}
	case "compression":
		return []string{"none", "zlib@openssh.com"}
	case "cipher", "cipher-auth":
		for i := range cipher.Ciphers {
			if c := &cipher.Ciphers[i]; c.AEAD || kind == "cipher" {
				l = append(l, c.Name)
			}
		}
		return l
	case "mac":
		for i := range cipher.MACs {
			l = append(l, cipher.MACs[i].Name)
		}
		return l
	case "kex":
		for i := range kex.Methods {
			l = append(l, kex.Methods[i].Name)
		}
		return l
	}
	switch strings.ToLower(kind) {
	case "ciphers":
		return supported("cipher")
	case "macs":
		return supported("mac")
	case "kexalgorithms":
		return supported("kex")
	}
	return pubkey.Query(kind)
}

// query is -Q.
func (r *run) query(kind string) error {
	l := supported(kind)
	if l == nil {
		return fault(fmt.Sprintf("Unsupported query \"%s\"", kind))
	}
	r.io.Out.WriteString(strings.Join(l, "\n") + "\n")
	return exit(0)
}

// version is -V.
func (r *run) version(string) error {
	r.io.Err.WriteString(version.Line(cipher.Vector()) + "\n")
	return exit(0)
}
