package cipher

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// Cipher is a row of [Ciphers]: an encryption algorithm by its SSH name.
type Cipher struct {
	Name      string
	KeySize   int  // bytes of key that key exchange must derive
	IVSize    int  // bytes of initial IV, 0 where the mode has none
	BlockSize int  // bytes, at least 8; the multiple of RFC 4253 §6
	AEAD      bool // authenticates by itself: no MAC is negotiated
	Legacy    bool // off until it is named in a configuration

	mode mode
}

// MAC is a row of [MACs]: a message authentication code by its SSH name.
type MAC struct {
	Name    string
	KeySize int  // bytes of key that key exchange must derive
	TagSize int  // bytes behind the packet
	ETM     bool // over the ciphertext, with the length in clear
	Legacy  bool // off until it is named in a configuration

	hash macHash
}

type mode uint8

const (
	modeCTR mode = iota
	modeAESCBC
	mode3DESCBC
	modeGCM
	modeChaCha
)

type macHash uint8

const (
	macSHA1 macHash = iota
	macSHA256
	macSHA512
	macMD5
	macUMAC
)

// Names used in more than one list.
const (
	nameChaCha    = "chacha20-poly1305@openssh.com"
	nameAES128GCM = "aes128-gcm@openssh.com"
	nameAES256GCM = "aes256-gcm@openssh.com"
)

// Ciphers is every encryption algorithm, in the order of `ssh -Q cipher`.
var Ciphers = [...]Cipher{
	{Name: "3des-cbc", KeySize: 24, IVSize: 8, BlockSize: 8, Legacy: true, mode: mode3DESCBC},
	{Name: "aes128-cbc", KeySize: 16, IVSize: 16, BlockSize: 16, Legacy: true, mode: modeAESCBC},
	{Name: "aes192-cbc", KeySize: 24, IVSize: 16, BlockSize: 16, Legacy: true, mode: modeAESCBC},
	{Name: "aes256-cbc", KeySize: 32, IVSize: 16, BlockSize: 16, Legacy: true, mode: modeAESCBC},
	{Name: "aes128-ctr", KeySize: 16, IVSize: 16, BlockSize: 16, mode: modeCTR},
	{Name: "aes192-ctr", KeySize: 24, IVSize: 16, BlockSize: 16, mode: modeCTR},
	{Name: "aes256-ctr", KeySize: 32, IVSize: 16, BlockSize: 16, mode: modeCTR},
	{Name: nameAES128GCM, KeySize: 16, IVSize: 12, BlockSize: 16, AEAD: true, mode: modeGCM},
	{Name: nameAES256GCM, KeySize: 32, IVSize: 12, BlockSize: 16, AEAD: true, mode: modeGCM},
	{Name: nameChaCha, KeySize: 64, IVSize: 0, BlockSize: 8, AEAD: true, mode: modeChaCha},
}

// MACs is every message authentication code, in the order of `ssh -Q mac`.
var MACs = [...]MAC{
	{Name: "hmac-sha1", KeySize: 20, TagSize: 20, hash: macSHA1},
	{Name: "hmac-sha1-96", KeySize: 20, TagSize: 12, Legacy: true, hash: macSHA1},
	{Name: "hmac-sha2-256", KeySize: 32, TagSize: 32, hash: macSHA256},
	{Name: "hmac-sha2-512", KeySize: 64, TagSize: 64, hash: macSHA512},
	{Name: "hmac-md5", KeySize: 16, TagSize: 16, Legacy: true, hash: macMD5},
	{Name: "hmac-md5-96", KeySize: 16, TagSize: 12, Legacy: true, hash: macMD5},
	{Name: "umac-64@openssh.com", KeySize: 16, TagSize: 8, hash: macUMAC},
	{Name: "umac-128@openssh.com", KeySize: 16, TagSize: 16, hash: macUMAC},
	{Name: "hmac-sha1-etm@openssh.com", KeySize: 20, TagSize: 20, ETM: true, hash: macSHA1},
	{Name: "hmac-sha1-96-etm@openssh.com", KeySize: 20, TagSize: 12, ETM: true, Legacy: true, hash: macSHA1},
	{Name: "hmac-sha2-256-etm@openssh.com", KeySize: 32, TagSize: 32, ETM: true, hash: macSHA256},
	{Name: "hmac-sha2-512-etm@openssh.com", KeySize: 64, TagSize: 64, ETM: true, hash: macSHA512},
	{Name: "hmac-md5-etm@openssh.com", KeySize: 16, TagSize: 16, ETM: true, Legacy: true, hash: macMD5},
	{Name: "hmac-md5-96-etm@openssh.com", KeySize: 16, TagSize: 12, ETM: true, Legacy: true, hash: macMD5},
	{Name: "umac-64-etm@openssh.com", KeySize: 16, TagSize: 8, ETM: true, hash: macUMAC},
	{Name: "umac-128-etm@openssh.com", KeySize: 16, TagSize: 16, ETM: true, hash: macUMAC},
}

// CipherByName returns the row of that name, or nil.
func CipherByName(name string) *Cipher {
	for i := range Ciphers {
		if Ciphers[i].Name == name {
			return &Ciphers[i]
		}
	}
	return nil
}

// MACByName returns the row of that name, or nil.
func MACByName(name string) *MAC {
	for i := range MACs {
		if MACs[i].Name == name {
			return &MACs[i]
		}
	}
	return nil
}

// DefaultCiphers is OpenSSH 10.5's default proposal, most wanted first. The
// slice is the caller's.
func DefaultCiphers() []string {
	return []string{nameChaCha, nameAES128GCM, nameAES256GCM, "aes128-ctr", "aes192-ctr", "aes256-ctr"}
}

// ClientCiphers is the default proposal of a client of ours: the same names as
// [DefaultCiphers], AES-GCM first where the CPU has instructions for it, which
// makes it the cheapest cipher by far. The client's order decides (RFC 4253
// §7.1). The slice is the caller's.
func ClientCiphers() []string {
	if !hasAESGCM() {
		return DefaultCiphers()
	}
	return []string{nameAES128GCM, nameAES256GCM, nameChaCha, "aes128-ctr", "aes192-ctr", "aes256-ctr"}
}

// DefaultMACs is OpenSSH 10.5's default proposal, most wanted first. The slice
// is the caller's.
func DefaultMACs() []string {
	return []string{
		"umac-64-etm@openssh.com", "umac-128-etm@openssh.com",
		"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com",
		"umac-64@openssh.com", "umac-128@openssh.com",
		"hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
	}
}

// RekeyBlocks is how many cipher blocks of BlockSize bytes one key may protect
// in one direction before new keys are due (RFC 4344 §3.2): 2^(2·BlockSize)
// for blocks of 16 bytes, 1 GiB for smaller ones.
func (c *Cipher) RekeyBlocks() uint64 {
	if c.BlockSize >= 16 {
		return 1 << (2 * uint(c.BlockSize))
	}
	return (1 << 30) / uint64(c.BlockSize)
}

// Vector names the vector instructions that chacha20-poly1305 runs on in this
// build on this CPU: "avx512", "avx2", or "" for the portable code.
func Vector() string {
	return vectorName(vectorLevel())
}

// hasAESGCM reports whether the library's AES-GCM runs on instructions of the
// CPU rather than on tables.
func hasAESGCM() bool {
	switch runtime.GOARCH {
	case "amd64":
		return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSE41
	case "arm64":
		return cpu.ARM64.HasAES && cpu.ARM64.HasPMULL || runtime.GOOS == "darwin"
	case "s390x":
		return cpu.S390X.HasAES && cpu.S390X.HasAESGCM
	case "ppc64", "ppc64le":
		return true // POWER8 is the floor of the port and has the instructions
	}
	return false
}
