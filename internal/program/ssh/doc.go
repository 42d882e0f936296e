// Package ssh is the program ssh: its command line, one table of flags, and
// the life of a run, from the configuration to the exit status. What happens
// around a connection is package client's; the protocol is the public package
// ssh's.
//
// Everything the program says goes through one client.Logger, so that -E
// holds. It must never know a packet or a file format.
package ssh
