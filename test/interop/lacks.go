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
	{"openssh", "", "kex", []string{"mlkem768x25519-sha256", "mlkem768nistp256-sha256"}, "came with OpenSSH 9.9 and 10.5; this is 9.2"},
	{"openssh10", "", "kex", []string{"mlkem768nistp256-sha256"}, "came with OpenSSH 10.5; this is 10.0"},
	{"xcrypto", "", "kex", []string{"sntrup761x25519-sha512*", "mlkem768nistp256-sha256", "diffie-hellman-group18-sha512"}, "x/crypto/ssh has ML-KEM with X25519 as its only hybrid, and no group of 8192 bits"},
	{"xcrypto", "", "cipher", []string{"aes192-cbc", "aes256-cbc"}, "x/crypto/ssh has CBC with the shortest key only"},
	{"xcrypto", "", "mac", []string{"hmac-md5*", "hmac-sha1*-etm@openssh.com", "umac-*"}, "x/crypto/ssh has HMAC with SHA-2, and with SHA-1 as first defined"},
	{"dropbear", "", "kex", []string{"sntrup761x25519-sha512*", "mlkem768*", "diffie-hellman-group*"}, "Debian builds Dropbear 2022.83 with elliptic curves and two groups"},
	{"dropbear", "", "cipher", []string{"*-cbc", "*-gcm@openssh.com", "aes192-ctr"}, "Debian builds Dropbear without them"},
	{"dropbear", "", "mac", []string{"*-etm@openssh.com", "umac-*", "hmac-md5*", "hmac-sha1-96", "hmac-sha2-512"}, "Debian builds Dropbear with two HMACs"},
	{"dropbear", "", "hostkey", []string{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512"}, "Dropbear's RSA signs with SHA-256"},
	{"dropbear", "", "userkey", []string{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512"}, "Dropbear's RSA signs with SHA-256"},
	{"tinysshd", "", "kex", []string{"diffie-hellman-*", "ecdh-sha2-*", "mlkem768*", "sntrup761x25519-sha512"}, "tinyssh has curve25519, and sntrup761 by its first name"},
	{"tinysshd", "", "cipher", []string{"*-cbc", "*-ctr", "*-gcm@openssh.com"}, "tinyssh has ChaCha20-Poly1305 only"},
	{"tinysshd", "", "mac", []string{"*"}, "tinyssh has AEAD only"},
	{"tinysshd", "", "hostkey", []string{"ecdsa-*", "rsa-*", "ssh-rsa"}, "tinyssh has Ed25519 only"},
	{"tinysshd", "", "userkey", []string{"ecdsa-*", "rsa-*", "ssh-rsa"}, "tinyssh has Ed25519 only"},
	{"putty", "", "kex", []string{"mlkem768*", "sntrup761x25519-sha512"}, "came with PuTTY 0.83; this is 0.78"},
	{"putty", "", "mac", []string{"hmac-sha2-512*", "hmac-md5-96*", "umac-*"}, "PuTTY 0.78 has none of them"},
	{"paramiko", "", "kex", []string{"mlkem768*", "sntrup761*", "curve25519-sha256", "diffie-hellman-group18-sha512"}, "paramiko 2.12 has no hybrids, and curve25519 by its first name"},
	{"paramiko", "", "cipher", []string{"*-gcm@openssh.com", "chacha20-poly1305@openssh.com"}, "paramiko 2.12 has no AEAD"},
	{"paramiko", "", "mac", []string{"hmac-md5*-etm@openssh.com", "hmac-sha1*-etm@openssh.com", "umac-*"}, "paramiko 2.12 has encrypt-then-MAC with SHA-2 only, and no UMAC"},
	{"paramiko", "server", "userkey", []string{"rsa-sha2-*"}, "paramiko 2.12's server sends no server-sig-algs, so that clients sign with ssh-rsa"},
	{"asyncssh", "", "kex", []string{"mlkem768*", "sntrup761*"}, "asyncssh 2.10 has sntrup761 only beside liboqs, which Debian does not ship"},
}

// Ours are what peers have and we do not speak. What OpenSSH 10.5 has not, a
// drop-in for it need not have.
var Ours = [...]Lack{
	{"xcrypto", "", "cipher", []string{"arcfour*"}, "RC4 is broken; OpenSSH took it away in 7.6"},
	{"dropbear", "", "kex", []string{"kexguess2@matt.ucc.asn.au"}, "no method, but a mark: Dropbear's own rule for guesses"},
	{"putty", "", "kex", []string{"curve448-sha512", "diffie-hellman-group15-sha512", "diffie-hellman-group17-sha512", "rsa*"}, "OpenSSH has none of them"},
	{"putty", "", "cipher", []string{"rijndael-cbc@lysator.liu.se", "3des-ctr", "blowfish-*", "arcfour*"}, "broken, or blocks of 64 bits; OpenSSH has them no more, or never had"},
	{"asyncssh", "", "cipher", []string{"arcfour*", "blowfish-cbc", "cast128-cbc", "seed-cbc@ssh.com"}, "broken, or blocks of 64 bits; OpenSSH has them no more, or never had"},
	{"asyncssh", "", "kex", []string{"*@ssh.com", "curve448-sha512", "diffie-hellman-group15-sha512", "diffie-hellman-group17-sha512", "ecdh-sha2-1.3.132.0.10", "rsa*"}, "OpenSSH has none of them"},
	{"asyncssh", "", "mac", []string{"*@ssh.com", "hmac-sha2-*-96", "hmac-sha2-*-96-etm@openssh.com"}, "OpenSSH has none of them"},
}

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
