package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// stock is the machine's own client.
const stock = "/usr/bin/ssh"

// toServer is a configuration by which host is s, on the given port of it.
func (p *place) toServer(s *rig.Server, port int, more ...string) string {
	p.Helper()
	pub, err := os.ReadFile(p.w.HostKey("ed25519") + ".pub")
	if err != nil {
		p.Fatal(err)
	}
	known := p.file("known_hosts", "host.key "+string(pub))
	return p.file(fmt.Sprintf("config-%d", port), fmt.Sprintf("%s\nHost *\n  HostName 127.0.0.1\n  Port %d\n  HostKeyAlias host.key\n  User %s\n"+
		"  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  BatchMode yes\n",
		strings.Join(more, "\n"), port, p.w.User, p.w.UserKey("ed25519"), known))
}

// asRoot skips a row that needs accounts.
func (p *place) asRoot() {
	p.Helper()
	if !p.w.Root {
		p.Skip("not run as root: there are no accounts to change")
	}
}

// inHome is a server whose users have their keys where users have them.
func (p *place) inHome(config ...string) *rig.Server {
	return p.start("nacre", append([]string{"AuthorizedKeysFile .ssh/authorized_keys", "StrictModes yes"}, config...)...)
}

// chown gives what is below the account's home back to it, as the page says.
func (p *place) restore() {
	p.Helper()
	ssh := filepath.Join(p.w.Home, ".ssh")
	for path, mode := range map[string]os.FileMode{p.w.Home: 0o755, ssh: 0o700, filepath.Join(ssh, "authorized_keys"): 0o600} {
		if err := os.Chown(path, p.w.UID, p.w.GID); err != nil {
			p.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			p.Fatal(err)
		}
	}
}

// rigNacre is our binary.
func rigNacre(p *place) string { return rig.ToolByName("nacre").Program(p.w) }
