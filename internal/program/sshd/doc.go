// Package sshd is the server program: its command line, its life as a daemon,
// its log in OpenSSH's words, who may log in, and the programs it runs for
// those who did.
//
// One process serves all connections with the rights it was started with.
// Programs of a session run in a session of their own, with pipes or a
// terminal; where something has to happen between the start of that process
// and the user's program (rc files, messages, ~/.ssh/environment) this program
// is started once more, with the user's rights, and becomes it.
//
// It must never know how a packet looks: package ssh does.
package sshd
