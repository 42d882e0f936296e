package client

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os/exec"
	"strings"

	"github.com/nacre-ssh/nacre/knownhosts"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Why KnownHostsCommand runs, as %I tells it.
const (
	askOrder    = "ORDER"
	askHostname = "HOSTNAME"
	askAddress  = "ADDRESS"
)

var errKnownCommand = errors.New("KnownHostsCommand failed")

// command runs KnownHostsCommand for one name and reads what it prints as a
// known_hosts file. key is nil before the server has shown one. nil without
// an error says that there is no such command.
func (h *HostKeys) command(ctx context.Context, why, name string, key ssh.PublicKey) (*knownhosts.File, error) {
	c := h.Conf
	if c.KnownHostsCommand == "" || strings.EqualFold(c.KnownHostsCommand, "none") {
		return nil, nil
	}
	tag := "KnownHostsCommand-" + why
	words, ok := sshconfig.SplitWords(c.KnownHostsCommand)
	if !ok || len(words) == 0 {
		h.Log.Error("%s \"%s\" contains invalid quotes", tag, c.KnownHostsCommand)
		return nil, errKnownCommand
	}
	t := c.Tokens()
	t.KnownName, t.Reason = name, why
	t.KeyType, t.Key, t.Fingerprint = "NONE", "NONE", "NONE"
	if key != nil {
		t.KeyType, t.Key, t.Fingerprint = key.Type(), base64.StdEncoding.EncodeToString(key.Marshal()), h.fingerprint(key)
	}
	for i := range words {
		var err error
		if words[i], err = t.ExpandEnv(words[i], sshconfig.TokensKnownHosts); err != nil {
			return nil, err
		}
	}
	h.Log.Debug3("%s command \"%s\" running as %s", tag, strings.Join(words, " "), t.LocalUser)
	if !strings.HasPrefix(words[0], "/") {
		h.Log.Error("%s path is not absolute", tag)
		return nil, errKnownCommand
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = h.Ask.Environ
	cmd.Stderr = h.Ask.Err
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.Log.Error("%s %s: %s", tag, words[0], Strerror(err))
		return nil, errKnownCommand
	}
	text, _ := io.ReadAll(io.LimitReader(out, knownhosts.MaxFileSize))
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		h.Log.Error("%s %s failed, %s", tag, words[0], strings.Replace(err.Error(), "exit status", "status", 1))
		return nil, errKnownCommand
	}
	return knownhosts.Parse(tag, text), nil
}

// with adds what KnownHostsCommand says about a name to the files.
func (h *HostKeys) with(ctx context.Context, why, name string, key ssh.PublicKey) (*knownhosts.Hosts, error) {
	f, err := h.command(ctx, why, name, key)
	if f == nil || err != nil {
		return h.hosts, err
	}
	all := *h.hosts
	all.Files = append(all.Files[:len(all.Files):len(all.Files)], f)
	return &all, nil
}
