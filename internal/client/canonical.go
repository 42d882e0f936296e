package client

import (
	"context"
	"errors"
	"net"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// LookupHost has the shape of sshconfig.ClientContext.LookupHost: it asks the
// system's resolver. The error is the resolver's words alone.
func LookupHost(c *sshconfig.Client, name string) (alias string, err error) {
	ctx := context.Background()
	switch c.AddressFamily {
	case sshconfig.FamilyInet:
		_, err = net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	case sshconfig.FamilyInet6:
		_, err = net.DefaultResolver.LookupNetIP(ctx, "ip6", name)
	}
	if err == nil {
		alias, err = net.DefaultResolver.LookupCNAME(ctx, name)
	}
	if err != nil {
		return "", errors.New(Strerror(err))
	}
	return alias, nil
}
