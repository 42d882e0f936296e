// Package sockets opens the sockets of a connection's forwards in a process
// that has the user's rights, for a network room that can open none: Serve is
// that process, Client what the room has in its place.
//
// The process was told by the monitor what the login may do and looks again:
// a room that was broken into gets no connection that its user would not get.
// What it is asked is bounded, and so is what it accepts on the user's behalf.
//
// It must never know a packet of the protocol: names, addresses and sockets are
// all that it deals in. Client.mu and server.mu are leaves.
package sockets
