//go:build !unix

package client

import "os"

// othersMay: there are no such modes here.
func othersMay(os.FileInfo) bool { return false }

// oursAlone: there are no such modes here.
func oursAlone(os.FileInfo) bool { return true }
