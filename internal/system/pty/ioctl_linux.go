package pty

import "golang.org/x/sys/unix"

const ioctlGet = unix.TCGETS
