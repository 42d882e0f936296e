package knownhosts_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nacre-ssh/nacre/knownhosts"
)

// A client opens the user's and the system's files, orders the algorithms it
// asks for by what is known, and looks at the key it was shown.
func Example() {
	home, _ := os.UserHomeDir()
	hosts, err := knownhosts.Open(filepath.Join(home, ".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts")
	if err != nil {
		fmt.Println(err)
	}
	algorithms := hosts.HostKeyAlgorithms(knownhosts.Name("host.example", 2222), []string{"ssh-ed25519", "rsa-sha2-512"})
	fmt.Println(len(algorithms))
	// ssh.ClientConfig{HostKey: hosts.Check}

	// After the user has agreed to an unknown key:
	// knownhosts.Add(file, []string{knownhosts.Name("host.example", 2222)}, key, true)

	// Output: 2
}

// The lines about a host, as ssh-keygen -F shows them.
func ExampleFile_Find() {
	f := knownhosts.Parse("known_hosts", []byte("# mine\n*.example,!bad.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== comment\n"))
	for _, l := range f.Find("good.example") {
		fmt.Println(l.Number, l.KeyType, l.Comment())
	}
	fmt.Println(len(f.Find("bad.example")))
	// Output:
	// 2 ssh-ed25519 comment
	// 0
}
