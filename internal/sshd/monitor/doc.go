// Package monitor is root's side of a connection: it holds the host keys, asks
// internal/sshd/auth who gets in, allocates terminals, writes login records,
// starts the processes of sessions, and cleans up when the network room is gone,
// however it went.
//
// A Generation is one reading of the configuration; Serve answers for one of its
// connections what internal/sshd/privsep's table allows, in the order it allows.
// Whatever else a network room says ends its connection and is logged. The
// monitor signs nothing but exchange hashes and texts that it has composed
// itself, checks every field of what a signature of a user is over against what
// it knows, and believes nothing about people that it has not found out.
//
// It must never know how a packet looks.
//
// Locks: visit.mu guards the sessions of a connection; no call is made with it
// held but to close a descriptor.
package monitor
