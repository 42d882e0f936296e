// Package account looks up users and groups without cgo: /etc/passwd,
// /etc/group and /etc/shadow, and getent for names that are not there where
// the system's switch file says that other sources exist.
//
// A name comes from a stranger: nothing that is not a plausible account name
// reaches a file search or a program.
//
// It must never know a protocol or decide who may log in. No locks, no
// goroutines, nothing kept between calls: accounts change while a server runs.
package account
