//go:build !unix

package client

import "os"

// OthersMay: there are no such modes here.
func OthersMay(os.FileInfo) bool { return false }

// oursAlone: there are no such modes here.
func oursAlone(os.FileInfo) bool { return true }
