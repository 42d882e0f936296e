//go:build linux || darwin || freebsd || openbsd

package sockets

import (
	"context"
	"os"

	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Main is the process: channel is its link, service what the monitor says may
// be forwarded, a marshalled privsep.Forwarding. It returns an exit status.
func Main(channel *os.File, service []byte, say func(v sshconfig.LogLevel, text string)) int {
	var f privsep.Forwarding
	err := privsep.Decode(service, &f)
	if err == nil {
		err = confine()
	}
	var conn *privsep.Conn
	if err == nil {
		conn, err = privsep.NewConn(channel)
	}
	if err == nil {
		err = Serve(context.Background(), conn, &f)
	}
	if err != nil {
		say(sshconfig.Error, "forwarding: "+reason.Of(err))
		return 255
	}
	return 0
}
