package client

import (
	"context"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/ssh"
)

// addToAgent does what AddKeysToAgent says with a private key that was read
// from a file to be used.
func (ids *Identities) addToAgent(ctx context.Context, id *Identity, s ssh.Signer) {
	how := ids.Conf.AddKeysToAgent
	if !how.On || ids.Agent == nil || id.agent != nil {
		return
	}
	private := pubkey.PrivateOf(s)
	if private == nil {
		return
	}
	comment := id.comment
	if comment == "" {
		comment = id.File
	}
	if how.Ask && !ids.Ask.Permit(ctx, "Add key "+id.File+" ("+Visible(comment)+") to agent?") {
		ids.Log.Debug3("user denied adding this key")
		return
	}
	key := agent.AddedKey{PrivateKey: private.Key, Comment: comment, ConfirmBeforeUse: how.Confirm, LifetimeSecs: uint32(how.Lifetime / time.Second)}
	if pubkey.IsSK(s.PublicKey()) && ids.Conf.SecurityKeyProvider != "" && ids.Conf.SecurityKeyProvider != "internal" {
		key.ConstraintExtensions = append(key.ConstraintExtensions, agent.SKProvider(ids.Conf.SecurityKeyProvider))
	}
	if err := ids.Agent.c.Add(key); err != nil {
		ids.Log.Debug1("could not add identity to agent: %s (%s)", id.File, err)
		return
	}
	ids.Log.Debug1("identity added to agent: %s", id.File)
}
