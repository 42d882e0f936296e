package xcrypto_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/ssh/xcrypto"
	"golang.org/x/crypto/ssh"
	xagent "golang.org/x/crypto/ssh/agent"
)

// exampleSigner is what a program that uses x/crypto has.
func exampleSigner() ssh.Signer {
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		log.Fatal(err)
	}
	return s
}

func ExampleFromSigner() {
	signer, err := xcrypto.FromSigner(exampleSigner())
	if err != nil {
		log.Fatal(err)
	}
	sig, err := signer.Sign(nil, []byte("data"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sig.Format, signer.PublicKey().Verify([]byte("data"), sig))
	// Output: ssh-ed25519 <nil>
}

func ExampleToSigner() {
	signer, err := xcrypto.FromSigner(exampleSigner()) // or any of this module's
	if err != nil {
		log.Fatal(err)
	}
	theirs, err := xcrypto.ToSigner(signer)
	if err != nil {
		log.Fatal(err)
	}
	config := &ssh.ClientConfig{User: "ann", Auth: []ssh.AuthMethod{ssh.PublicKeys(theirs)}}
	fmt.Println(config.User, theirs.PublicKey().Type(), theirs.Algorithms())
	// Output: ann ssh-ed25519 [ssh-ed25519]
}

func ExampleFromPublicKey() {
	key, err := xcrypto.FromPublicKey(exampleSigner().PublicKey())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Type())
	// Output: ssh-ed25519
}

func ExampleToPublicKey() {
	ours, err := xcrypto.FromPublicKey(exampleSigner().PublicKey())
	if err != nil {
		log.Fatal(err)
	}
	theirs, err := xcrypto.ToPublicKey(ours)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ssh.FingerprintSHA256(theirs))
	// Output: SHA256:tAXFyTXI8xtDaujAEcwJslAYc9/6FKcUkd2Lw0xDhPo
}

func ExampleFromCertificate() {
	theirs := &ssh.Certificate{Key: exampleSigner().PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"ann"}, ValidBefore: ssh.CertTimeInfinity}
	if err := theirs.SignCert(rand.Reader, exampleSigner()); err != nil {
		log.Fatal(err)
	}
	cert, err := xcrypto.FromCertificate(theirs)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Type(), cert.ValidPrincipals, cert.VerifySignature(nil))
	// Output: ssh-ed25519-cert-v01@openssh.com [ann] <nil>
}

func ExampleToCertificate() {
	theirs := &ssh.Certificate{Key: exampleSigner().PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"example.com"}}
	if err := theirs.SignCert(rand.Reader, exampleSigner()); err != nil {
		log.Fatal(err)
	}
	ours, err := xcrypto.FromCertificate(theirs)
	if err != nil {
		log.Fatal(err)
	}
	again, err := xcrypto.ToCertificate(ours)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Equal(again.Marshal(), theirs.Marshal()))
	// Output: true
}

func ExampleFromSignature() {
	theirs, err := exampleSigner().Sign(rand.Reader, []byte("data"))
	if err != nil {
		log.Fatal(err)
	}
	key, err := xcrypto.FromPublicKey(exampleSigner().PublicKey())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Verify([]byte("data"), xcrypto.FromSignature(theirs)))
	// Output: <nil>
}

func ExampleToSignature() {
	signer, err := xcrypto.FromSigner(exampleSigner())
	if err != nil {
		log.Fatal(err)
	}
	ours, err := signer.Sign(nil, []byte("data"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exampleSigner().PublicKey().Verify([]byte("data"), xcrypto.ToSignature(ours)))
	// Output: <nil>
}

func ExampleFromAgent() {
	theirs := xagent.NewKeyring()
	if err := theirs.Add(xagent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Comment: "ann"}); err != nil {
		log.Fatal(err)
	}
	keys, err := xcrypto.FromAgent(theirs).List()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(keys), keys[0].Comment)
	// Output: 1 ann
}

func ExampleToAgent() {
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Comment: "ann"}); err != nil {
		log.Fatal(err)
	}
	signers, err := xcrypto.ToAgent(ring).Signers()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(signers), signers[0].PublicKey().Type())
	// Output: 1 ssh-ed25519
}
