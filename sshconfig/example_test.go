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

// A server reads its files once; each connection gets its own values.
func ExampleServer_Match() {
	s, err := sshconfig.ParseServer(sshconfig.Sources{
		Options: []string{"MaxAuthTries=3"},
		Files: []sshconfig.Source{{ // or sshconfig.ServerFile(dashF)
			Name: "sshd_config",
			Data: []byte("PasswordAuthentication no\nMatch Address 10.0.0.0/8\n  PasswordAuthentication yes\n"),
		}},
	}, &sshconfig.ServerContext{Files: sshconfig.OSFiles{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range s.Listen() {
		fmt.Println("listen", a)
	}
	inside, _ := s.Match(&sshconfig.Connection{User: "ann", Address: "10.1.2.3"})
	outside, _ := s.Match(&sshconfig.Connection{User: "ann", Address: "192.0.2.1"})
	fmt.Println(s.MaxAuthTries, inside.PasswordAuthentication, outside.PasswordAuthentication)
	// Output:
	// listen [::]:22
	// listen 0.0.0.0:22
	// 3 true false
}
