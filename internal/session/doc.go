// Package session is floor 4, RFC 4254 §6: the requests of session channels,
// as bytes and as the order in which they may come. It starts no program and
// opens no terminal; those who do are given what it read.
package session
