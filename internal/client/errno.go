package client

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Strerror is the reason inside err in the words of strerror(3) or of the
// resolver, which scripts compare: "Connection refused".
func Strerror(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return "Name or service not known"
		}
		return "Temporary failure in name resolution"
	}
	var n syscall.Errno
	if errors.As(err, &n) {
		// The texts of package syscall are strerror's, in lower case.
		s := n.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return "Connection timed out"
	}
	return err.Error()
}
