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

// Agent is a connection to the person's agent. A nil one has no keys.
type Agent struct {
	conn net.Conn
	c    *agent.Client
	log  *Logger
}

// OpenAgent connects to the agent at a socket; nil where there is none.
func OpenAgent(path string, log *Logger) *Agent {
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		log.Debug1("get_agent_identities: ssh_get_authentication_socket: %s", Strerror(err))
		return nil
	}
	return &Agent{conn, agent.NewClient(conn), log}
}

// Close ends the connection.
func (a *Agent) Close() {
	if a != nil {
		a.conn.Close()
	}
}

// Bind tells the agent which session it will sign for. Old agents do not know
// what that means.
func (a *Agent) Bind(c *ssh.Client) {
	sig := c.HostKeySignature()
	if a == nil || sig == nil {
		return
	}
	if err := a.c.SessionBind(c.HostKey(), c.SessionID(), sig, false); err != nil {
		a.log.Debug2("get_agent_identities: ssh_agent_bind_hostkey: %s", err)
		return
	}
	a.log.Debug1("get_agent_identities: bound agent to hostkey")
}

// Keys lists the keys of known types.
func (a *Agent) Keys() []AgentKey {
	if a == nil {
		return nil
	}
	listed, err := a.c.List()
	if err != nil {
		a.log.Debug1("get_agent_identities: ssh_fetch_identitylist: %s", err)
		return nil
	}
	a.log.Debug1("get_agent_identities: agent returned %d keys", len(listed))
	if len(listed) == 0 {
		return nil
	}
	signers, err := a.c.Signers()
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
			a.log.Debug1("ignoring %s agent key", key.Key.Type())
			continue
		}
		keys = append(keys, key)
	}
	return keys
}
