// Package pty is the server's side of a terminal: a pseudo-terminal pair, its
// size and modes, its owner, and a program started on it as leader of a
// session of its own (RFC 4254 §6.2, §6.7, §8).
//
// The master is non-blocking and in Go's poller; package rawio reads and
// writes it. Which opcode is which setting is package tty's business.
//
// It must never know a protocol, a configuration or an account beyond the
// numbers it is given. It starts no goroutine and has no locks.
package pty
