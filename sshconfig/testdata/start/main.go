// Command start uses both tables of sshconfig; a test looks at how it is
// linked.
package main

import (
	"os"

	"github.com/nacre-ssh/nacre/sshconfig"
)

func main() {
	if c, err := sshconfig.ParseClient(sshconfig.Sources{}, nil); err == nil {
		c.Print(os.Stdout)
	}
	if s, err := sshconfig.ParseServer(sshconfig.Sources{}, nil); err == nil {
		s.Print(os.Stdout, false)
	}
}
