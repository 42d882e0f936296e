package tty

import "golang.org/x/sys/unix"

// iutf8 is the input flag for UTF-8 in the line discipline.
const iutf8 = unix.IUTF8
