package sshconfig_test

import (
	"fmt"
	"os"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// A client reads its configuration once per run: options of the command line
// first, then files.
func ExampleParseClient() {
	ctx := &sshconfig.ClientContext{
		Host: "myserver", LocalUser: "ann", Home: "/home/ann",
		Files:  sshconfig.OSFiles{}, // for Include
		Getenv: os.LookupEnv,
	}
	c, err := sshconfig.ParseClient(sshconfig.Sources{
		Options: []string{"ConnectTimeout=5"},
		Files: []sshconfig.Source{{ // or sshconfig.DefaultSources(ctx.Home, dashF)
			Name: "config", User: true,
			Data: []byte("Host my*\n  HostName %h.example.org\n  Port 2222\nHost *\n  User=bob\n"),
		}},
	}, ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(255)
	}
	fmt.Println(c.User, c.Hostname, c.Port, c.ConnectTimeout, c.StrictHostKeyChecking == sshconfig.StrictAsk)
	// Output: bob myserver.example.org 2222 5s true
}

// Flags that have a keyword are set like -o, in the order of the command line.
func ExampleNewClient() {
	c := sshconfig.NewClient(&sshconfig.ClientContext{Host: "relay"})
	c.SetUser("ann")                                    // -l ann, or ann@relay
	_ = c.Set(sshconfig.Option("Port", "2222"))         // -p 2222
	_ = c.AddForward("8080:localhost:80", false, false) // -L
	if err := c.Load(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(c.User, c.Port, c.LocalForward[0].String())
	// Output: ann 2222 8080 [localhost]:80
}
