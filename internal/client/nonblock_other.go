//go:build !unix

package client

import "net"

func setNonblock(net.Conn) {}
