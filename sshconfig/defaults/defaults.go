// Package defaults gives sshconfig the algorithms of this module: which names
// exist, and which are used when a configuration says nothing. It stands
// apart so that reading a configuration does not link the algorithms.
//
// It knows tables of names only and reads no configuration.
package defaults

import (
	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Client is what ssh_config(5) is read with.
func Client() sshconfig.Algorithms {
	return algorithms(cipher.ClientCiphers(), kex.ClientDefaults())
}

// Server is what sshd_config(5) is read with.
func Server() sshconfig.Algorithms {
	return algorithms(cipher.DefaultCiphers(), kex.ServerDefaults())
}

func algorithms(ciphers, methods []string) sshconfig.Algorithms {
	a := sshconfig.Algorithms{
		Ciphers:       sshconfig.NameList{Default: ciphers},
		MACs:          sshconfig.NameList{Default: cipher.DefaultMACs()},
		KexAlgorithms: sshconfig.NameList{Default: methods},
		CASignatureAlgorithms: sshconfig.NameList{
			Default: pubkey.DefaultCASignatureAlgorithms(), Known: pubkey.Query("key-ca-sign"),
		},
	}
	for i := range cipher.Ciphers {
		a.Ciphers.Known = append(a.Ciphers.Known, cipher.Ciphers[i].Name)
	}
	for i := range cipher.MACs {
		a.MACs.Known = append(a.MACs.Known, cipher.MACs[i].Name)
	}
	for i := range kex.Methods {
		a.KexAlgorithms.Known = append(a.KexAlgorithms.Known, kex.Methods[i].Name)
	}
	keys := sshconfig.NameList{Default: pubkey.DefaultHostKeyAlgorithms(), Known: pubkey.Query("key-sig")}
	a.HostKeyAlgorithms, a.PubkeyAcceptedAlgorithms, a.HostbasedAcceptedAlgorithms = keys, keys, keys
	return a
}
