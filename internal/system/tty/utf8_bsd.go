//go:build freebsd || openbsd

package tty

// iutf8 is zero where the line discipline has no such flag.
const iutf8 = 0
