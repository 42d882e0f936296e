//go:build !unix

package ssh

import "os"

func notifyResize(chan<- os.Signal) {}

func isResize(os.Signal) bool { return false }

func tellResize(int) {}

func onResize(func()) (stop func()) { return func() {} }
