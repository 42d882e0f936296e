//go:build !linux && !darwin && !freebsd

package fdpass

import (
	"errors"
	"net"
)

// Peer is the user at the other end of c, which this system does not tell: the
// socket's mode is what keeps others away.
func Peer(*net.UnixConn) (uid uint32, err error) { return 0, errors.ErrUnsupported }
