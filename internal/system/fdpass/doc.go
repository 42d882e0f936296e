// Package fdpass sends descriptors to another process over a Unix socket, one
// with each NUL byte, as ssh's shared connections do, and tells who is at the
// other end.
package fdpass
