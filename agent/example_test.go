package agent_test

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// The agent that a person runs, for instance to log in with its keys.
func ExampleNewClient() {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		log.Print(err)
		return
	}
	defer conn.Close()
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		log.Print(err)
		return
	}
	for _, s := range signers {
		fmt.Println(s.PublicKey().Type())
	}
}

// An agent of one's own, in memory, for whoever is at the other end of a
// connection.
func ExampleServeAgent() {
	ring := agent.NewKeyring()
	ring.Now = time.Now // else keys with a lifetime are refused

	ours, theirs := net.Pipe()
	go func() {
		defer ours.Close()
		if err := agent.ServeAgent(ring, ours); err != nil {
			log.Print(err)
		}
	}()

	client := agent.NewClient(theirs)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if err := client.Add(agent.AddedKey{PrivateKey: key, Comment: "ann@example", LifetimeSecs: 3600}); err != nil {
		log.Fatal(err)
	}
	keys, err := client.List()
	if err != nil {
		log.Fatal(err)
	}
	for _, k := range keys {
		sig, err := client.Sign(k, []byte("data"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(k.Type(), k.Comment, k.Verify([]byte("data"), sig))
	}
	theirs.Close()
	// Output: ssh-ed25519 ann@example <nil>
}

// A key that may only be used to log in to one host, and from there nowhere.
func ExampleRestrictDestination() {
	host := newHostKey()
	constraint, err := agent.RestrictDestination([]agent.Destination{{
		To: agent.Hop{User: "ann", Host: "example.com", Keys: []agent.HopKey{{Key: host}}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	ring := agent.NewKeyring()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	err = ring.Add(agent.AddedKey{PrivateKey: key, ConstraintExtensions: []agent.ConstraintExtension{constraint}})
	fmt.Println(err)
	keys, _ := ring.List()
	_, err = ring.Sign(keys[0], []byte("anything else"))
	fmt.Println(err)
	// Output:
	// <nil>
	// agent: constraint: key with destinations on a connection that is not bound to a session
}

// A person is asked for each use of a key.
func ExampleKeyring() {
	ring := &agent.Keyring{Confirm: func(u agent.Use) bool {
		fmt.Printf("may %q be used? no\n", u.Key.Comment)
		return false
	}}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if err := ring.Add(agent.AddedKey{PrivateKey: key, Comment: "work", ConfirmBeforeUse: true}); err != nil {
		log.Fatal(err)
	}
	keys, _ := ring.List()
	_, err := ring.Sign(keys[0], []byte("data"))
	fmt.Println(err)
	// Output:
	// may "work" be used? no
	// agent: constraint: use of the key was not confirmed
}

func newHostKey() pubkey.PublicKey {
	k, err := pubkey.NewPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		log.Fatal(err)
	}
	return k
}
