// Package network is the room that speaks the protocol: an ordinary user of
// ssh.Server whose host keys are elsewhere, whose callbacks are questions to the
// monitor, and whose sessions are descriptors that the monitor sends.
//
// It holds what a break-in gains: the keys of its connections, their bytes, and
// the right to ask what internal/sshd/privsep's table allows. It starts no
// program, opens no file, terminal or socket, looks up no account, and logs by
// asking for it. The same code runs in a locked-down process of its own, in one
// process for many connections, and as goroutines of a server without root's
// rights.
//
// Locks: visit.mu guards the sessions of a connection and is a leaf;
// visit.opening guards the process that opens sockets, and is held while one is
// asked for.
package network
