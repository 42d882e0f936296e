// Package rig starts real peers (OpenSSH, Dropbear, tinysshd, PuTTY, paramiko,
// asyncssh, x/crypto/ssh and our own programs) on loopback with scratch
// configurations, and calls their clients, so that tests and measurements say
// only what is to be said over the connection.
//
// Nothing outside of it is changed: as root, everything runs in a mount
// namespace of its own, in which /etc/passwd, /etc/shadow and /etc/group have
// an account more; otherwise as the person who started it.
package rig
