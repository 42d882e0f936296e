package transport

import (
	"strings"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// PeerExtensions is what the peer told in EXT_INFO (RFC 8308). All of it are
// hints.
type PeerExtensions struct {
	ServerSigAlgs []string // nil when not told
	HostBound     bool     // publickey-hostbound@openssh.com
	Ping          bool     // ping@openssh.com
	AgentForward  bool     // agent-forward
	InfoInAuth    bool     // ext-info-in-auth@openssh.com
}

// extInfo takes an EXT_INFO where one may stand: as the first packet after the
// peer's first NEWKEYS and, from a server, once more before success (NEG-15).
func (c *Conn) extInfo(p []byte) error {
	firstAfterKeys := c.in.packets == 1 && c.exchanges == 1
	second := c.cfg.Client && !c.authenticated && c.extInfos < 2
	if !firstAfterKeys && !second {
		return wire.Disconnectf(wire.ReasonProtocolError, "EXT_INFO where none may stand")
	}
	var m wire.ExtInfo
	if err := m.Decode(p); err != nil {
		return wire.Disconnectf(wire.ReasonProtocolError, "EXT_INFO: %w", err)
	}
	c.extInfos++
	c.cfg.trace(1, "SSH2_MSG_EXT_INFO received")
	for _, e := range m.Extensions {
		v := string(e.Value)
		switch e.Name {
		case "server-sig-algs":
			if c.cfg.Client && len(v) <= wire.MaxNameList {
				c.PeerExt.ServerSigAlgs = strings.Split(v, ",")
			}
		case "publickey-hostbound@openssh.com":
			c.PeerExt.HostBound = c.PeerExt.HostBound || firstAfterKeys && v == "0"
		case "ping@openssh.com":
			c.PeerExt.Ping = c.PeerExt.Ping || firstAfterKeys && v == "0"
		case "agent-forward":
			c.PeerExt.AgentForward = c.PeerExt.AgentForward || firstAfterKeys && v == "0"
		case "ext-info-in-auth@openssh.com":
			c.PeerExt.InfoInAuth = c.PeerExt.InfoInAuth || firstAfterKeys && v == "0"
		}
	}
	return nil
}
