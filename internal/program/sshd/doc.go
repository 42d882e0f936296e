// Package sshd is the server program: its command line, its life as a daemon,
// and which room of the server this process is.
//
// As root it is the listener (internal/sshd/listener), and starts this program
// again for each generation of monitor, lobby and network room, and for what runs
// as a user. With -i and -d it is the monitor of one connection itself. Whoever
// is not root has all rooms as goroutines of one process.
//
// It must never know how a packet looks: package ssh does.
package sshd
