package client

import (
	"net"
	"strings"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/ssh"
)

// AgentPath is the socket of the agent that IdentityAgent and the environment
// name; "" for none.
func AgentPath(identityAgent string, getenv func(string) string) string {
	switch {
	case strings.EqualFold(identityAgent, "none"):
		return ""
	case identityAgent == "" || identityAgent == "SSH_AUTH_SOCK":
		return getenv("SSH_AUTH_SOCK")
	case identityAgent[0] == '$':
		return getenv(identityAgent[1:])
	}
	return identityAgent
}

// agentKeys connects to the agent, tells it which session this is for, and
// lists its keys. Without an agent there are none.
func (k *Connector) agentKeys(c *ssh.Client) []AgentKey {
	path := AgentPath(k.Conf.IdentityAgent, k.Ask.getenv)
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		k.Log.Debug1("get_agent_identities: ssh_get_authentication_socket: %s", Strerror(err))
		return nil
	}
	k.agent = conn
	a := agent.NewClient(conn)
	if sig := c.HostKeySignature(); sig != nil {
		if err := a.SessionBind(c.HostKey(), c.SessionID(), sig, false); err == nil {
			k.Log.Debug1("get_agent_identities: bound agent to hostkey")
		} else {
			k.Log.Debug2("get_agent_identities: ssh_agent_bind_hostkey: %s", err)
		}
	}
	listed, err := a.List()
	if err != nil {
		k.Log.Debug1("get_agent_identities: ssh_fetch_identitylist: %s", err)
		return nil
	}
	k.Log.Debug1("get_agent_identities: agent returned %d keys", len(listed))
	if len(listed) == 0 {
		return nil
	}
	signers, err := a.Signers()
	if err != nil {
		return nil
	}
	var keys []AgentKey
	for _, s := range signers {
		key := AgentKey{Key: s.PublicKey(), Signer: s}
		blob := string(key.Key.Marshal())
		for _, l := range listed {
			if string(l.Blob) == blob {
				key.Comment = l.Comment
			}
		}
		if pubkey.AlgorithmByName(key.Key.Type()) == nil {
			k.Log.Debug1("ignoring %s agent key", key.Key.Type())
			continue
		}
		keys = append(keys, key)
	}
	return keys
}
