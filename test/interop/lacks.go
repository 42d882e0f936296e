package interop

import "path"

// Lack says that a peer does not have algorithms that we have, or we some that
// it has.
type Lack struct {
	Peer  string // name in package rig
	Role  string // "client" or "server", "" for both
	Kind  string // "kex", "cipher", "mac", "hostkey", "userkey", "compression"
	Names []string
	Why   string
}

// Lacks are what peers do not have. Names are patterns of package path.
var Lacks = [...]Lack{
	{"openssh", "", "kex", []string{"mlkem768x25519-sha256"}, "came with OpenSSH 9.9; this is 9.2"},
	{"dropbear", "", "kex", []string{"sntrup761x25519-sha512*", "mlkem768x25519-sha256"}, "came with Dropbear 2025; this is 2022.83"},
	{"dropbear", "", "kex", []string{"diffie-hellman-group-exchange-*", "diffie-hellman-group18-sha512", "diffie-hellman-group1-sha1", "diffie-hellman-group16-sha512"}, "Dropbear has no group exchange, and Debian builds it without the largest and the smallest groups"},
	{"dropbear", "", "cipher", []string{"*-cbc", "*-gcm@openssh.com", "aes192-ctr"}, "Debian builds Dropbear without them"},
	{"dropbear", "", "mac", []string{"hmac-md5*", "hmac-sha1-96*", "*-etm@openssh.com", "umac-*", "hmac-sha2-512"}, "Dropbear has none of these"},
	{"dropbear", "", "hostkey", []string{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512"}, "Dropbear has one ECDSA host key and signs with SHA-256"},
	{"tinysshd", "", "kex", []string{"diffie-hellman-*", "ecdh-sha2-*", "mlkem768x25519-sha256", "sntrup761x25519-sha512"}, "tinyssh has curve25519 and sntrup761 by its first name only"},
	{"tinysshd", "", "cipher", []string{"*-cbc", "*-ctr", "*-gcm@openssh.com"}, "tinyssh has ChaCha20-Poly1305 only"},
	{"tinysshd", "", "mac", []string{"*"}, "tinyssh has AEAD only"},
	{"tinysshd", "", "hostkey", []string{"ecdsa-*", "rsa-*", "ssh-rsa"}, "tinyssh has Ed25519 only"},
	{"tinysshd", "", "userkey", []string{"ecdsa-*", "rsa-*", "ssh-rsa"}, "tinyssh has Ed25519 only"},
	{"tinysshd", "", "compression", []string{"*"}, "tinyssh does not compress"},
}

// Ours are what peers have and we do not speak.
var Ours = [...]Lack{}

// find returns the line of a list that covers an algorithm.
func find(list []Lack, peer, role, kind, name string) int {
	for i, l := range list {
		if l.Peer != peer && l.Peer != "" || l.Role != "" && l.Role != role || l.Kind != kind {
			continue
		}
		for _, pattern := range l.Names {
			if ok, _ := path.Match(pattern, name); ok {
				return i
			}
		}
	}
	return -1
}
