package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	program "github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// patience is how long a server may take that no ConnectTimeout bounds.
const patience = 15 * time.Second

// Main examines the way to a host.
func Main(ctx context.Context, std stdio.Stdio, args []string) int {
	if len(args) == 0 {
		std.Errorf("usage: nacre doctor [options of ssh] destination")
		return 255
	}
	plan, status := program.NewPlan(std, args, nil)
	if plan == nil {
		return status
	}
	e := &examination{out: std.Out, std: std, plan: plan, conf: plan.Conf}
	e.run(ctx)
	if e.findings > 0 {
		return 1
	}
	return 0
}

// examination is one run.
type examination struct {
	out      io.Writer
	std      stdio.Stdio
	plan     *program.Plan
	conf     *sshconfig.Client
	log      lines
	findings int
	keys     int // that could be offered
	agent    int // of those in the agent
}

// ok, note and problem are the lines of the report: what is well, what is worth
// knowing, and what is wrong with what to do about it.
func (e *examination) ok(what, format string, args ...any)   { e.line("ok", what, format, args...) }
func (e *examination) note(what, format string, args ...any) { e.line("note", what, format, args...) }

func (e *examination) problem(what, text string, advice ...string) {
	e.findings++
	e.line("PROBLEM", what, "%s", text)
	for _, a := range advice {
		fmt.Fprintf(e.out, "%-8s %-10s -> %s\n", "", "", client.Visible(a))
	}
}

func (e *examination) line(verdict, what, format string, args ...any) {
	fmt.Fprintf(e.out, "%-8s %-10s %s\n", verdict, what, client.Visible(fmt.Sprintf(format, args...)))
}

func (e *examination) run(ctx context.Context) {
	c := e.conf
	c.BatchMode = true
	c.StrictHostKeyChecking = sshconfig.StrictYes
	c.UpdateHostKeys = sshconfig.AskNo
	c.AddKeysToAgent = sshconfig.AddKeys{}
	c.ForkAfterAuthentication = false
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = patience
	}
	e.ok("settings", "%s@%s port %d%s", c.User, c.Hostname, c.Port, e.way())
	e.folders()
	e.identities()
	if !e.name(ctx) {
		return
	}
	log := client.NewLogger(&e.log, client.LevelDebug1, true)
	ask := &client.Prompter{Getenv: func(string) string { return "" }, Log: log, In: e.std.In, Err: e.std.Err}
	k := e.plan.Connector(log, ask)
	conn, err := k.Connect(ctx)
	defer k.Close()
	e.reached(err)
	if err == nil {
		method, _ := conn.AuthMethod()
		e.ok("login", "%s logged in with %s%s", c.User, method, e.accepted())
		conn.Close()
		return
	}
	e.explain(err)
}

func (e *examination) way() string {
	switch c := e.conf; {
	case c.ProxyJump != "":
		return " through " + c.ProxyJump
	case c.ProxyCommand != "":
		return " through the command " + c.ProxyCommand
	}
	return ""
}

func (e *examination) direct() bool { return e.conf.ProxyJump == "" && e.conf.ProxyCommand == "" }

// folders looks at what others may write: a server refuses the same there, and
// whoever can change these files is the person.
func (e *examination) folders() {
	home := e.plan.Home
	for _, dir := range []string{home, filepath.Join(home, ".ssh")} {
		st, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			e.note("folders", "%s does not exist", dir)
		case err != nil:
			e.problem("folders", dir+": "+client.Strerror(err), "make it yours: chown -R \"$USER\" "+dir)
		case st.Mode().Perm()&0o022 != 0:
			e.problem("folders", fmt.Sprintf("%s may be written by others (mode %04o)", dir, st.Mode().Perm()), "chmod go-w "+dir)
		}
	}
}

// identities looks at the keys that could be offered.
func (e *examination) identities() {
	c := e.conf
	if c.PubkeyAuthentication == sshconfig.PubkeyNo {
		e.note("keys", "PubkeyAuthentication is off: no key is offered")
		return
	}
	quiet := client.NewLogger(nil, client.LevelQuiet, false)
	for _, name := range c.IdentityFile {
		if name == "none" {
			continue
		}
		file, err := c.ExpandPath(name)
		if err != nil {
			continue
		}
		st, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			if c.IsSet("IdentityFile") {
				e.problem("keys", file+" does not exist", "ssh-keygen -t ed25519 -f "+file+", or take it out of the configuration")
			}
			continue
		}
		if err != nil {
			e.problem("keys", file+": "+client.Strerror(err), "chown \"$USER\" "+file)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			e.problem("keys", file+": "+client.Strerror(err), "chown \"$USER\" "+file+" && chmod 600 "+file)
			continue
		}
		_, _, err = keyfile.ParsePrivateKey(data)
		clear(data)
		var missing *ssh.PassphraseMissingError
		switch {
		case client.OthersMay(st):
			e.problem("keys", fmt.Sprintf("%s may be read by others (mode %04o): it is not used", file, st.Mode().Perm()), "chmod 600 "+file)
			continue
		case errors.As(err, &missing):
			e.note("keys", "%s has a passphrase: it is used only if an agent holds it (ssh-add %s) or you type it", file, file)
		case err != nil:
			e.problem("keys", file+" is no private key that can be read: "+err.Error(), "ssh-keygen -y -f "+file+" shows whether it is damaged")
			continue
		default:
			e.ok("keys", "%s", file)
		}
		e.keys++
	}
	path := client.AgentPath(c.IdentityAgent, e.std.Getenv)
	switch a := client.OpenAgent(path, quiet); {
	case path == "":
		e.note("agent", "none: SSH_AUTH_SOCK is not set")
	case a == nil:
		e.problem("agent", "nobody answers at "+path, "start one: eval \"$(ssh-agent -s)\" && ssh-add")
	default:
		e.agent = len(a.Keys())
		e.ok("agent", "%d keys at %s", e.agent, path)
		a.Close()
	}
	if e.keys+e.agent == 0 {
		e.problem("keys", "there is no key to offer", "make one: ssh-keygen -t ed25519", "then put it on the server: ssh-copy-id "+e.destination())
	}
}

func (e *examination) destination() string {
	if e.conf.Port != 22 {
		return fmt.Sprintf("-p %d %s@%s", e.conf.Port, e.conf.User, e.conf.Hostname)
	}
	return e.conf.User + "@" + e.conf.Hostname
}

// name resolves the host's name.
func (e *examination) name(ctx context.Context) bool {
	if !e.direct() {
		return true
	}
	d := client.Dialer{}
	switch e.conf.AddressFamily {
	case sshconfig.FamilyInet:
		d.Network = "tcp4"
	case sshconfig.FamilyInet6:
		d.Network = "tcp6"
	}
	addrs, err := d.Resolve(ctx, e.conf.Hostname)
	if err != nil {
		advice := []string{"check the spelling, and `getent hosts " + e.conf.Hostname + "`", "a name of your own: Host and HostName in ~/.ssh/config; see nacre explain " + e.conf.Host + " hostname"}
		if d.Network != "" {
			advice = append(advice, "AddressFamily leaves one kind of address only: try without -4, -6")
		}
		e.problem("name", err.Error(), advice...)
		return false
	}
	var text []string
	for _, a := range addrs {
		text = append(text, a.String())
	}
	e.ok("name", "%s is %s", e.conf.Hostname, strings.Join(text, ", "))
	return true
}

// reached says how far the connection came, from what was logged.
func (e *examination) reached(err error) {
	for _, line := range e.log.all() {
		switch text := strings.TrimPrefix(line, "debug1: "); {
		case strings.HasPrefix(text, "connect to address "):
			if err == nil || !strings.Contains(err.Error(), "connect to host") {
				e.note("route", "%s; another address answered", text)
			}
		case text == "Connection established.":
			e.ok("port", "%s port %d is open", e.conf.Hostname, e.conf.Port)
		case strings.HasPrefix(text, "Remote protocol version "):
			_, software, _ := strings.Cut(text, "remote software version ")
			e.ok("banner", "the server is %s", software)
		case strings.HasPrefix(text, "kex: algorithm: "):
			e.ok("algorithms", "key exchange %s", strings.TrimPrefix(text, "kex: algorithm: "))
		case strings.HasPrefix(text, "kex: client->server "):
			e.ok("algorithms", "%s", strings.TrimPrefix(text, "kex: client->server "))
		case strings.HasPrefix(text, "Server host key: "):
			e.ok("host key", "%s", strings.TrimPrefix(text, "Server host key: "))
		case strings.Contains(text, " is known and matches the "):
			e.ok("host key", "%s", text)
		case strings.HasPrefix(text, "Offering public key: "):
			e.note("offered", "%s", strings.TrimPrefix(text, "Offering public key: "))
		case strings.HasPrefix(text, "Skipping "), strings.HasPrefix(text, "send_pubkey_test: no mutual"):
			e.note("offered", "not: %s", text)
		case strings.HasPrefix(text, "Server accepts key: "):
			e.ok("offered", "the server takes %s", strings.TrimPrefix(text, "Server accepts key: "))
		}
	}
}

// accepted names the key that logged in.
func (e *examination) accepted() string {
	for _, line := range e.log.all() {
		if key, ok := strings.CutPrefix(line, "debug1: Server accepts key: "); ok {
			return ", " + key
		}
	}
	return ""
}

// explain says why the connection failed and what to do.
func (e *examination) explain(err error) {
	var (
		resolve *client.ResolveError
		connect *client.ConnectError
		hostKey *ssh.HostKeyError
		offer   *ssh.NegotiationError
		ident   *ssh.IdentificationError
		denied  *ssh.DeniedError
		peer    *ssh.PeerDisconnectError
		c       = e.conf
	)
	switch {
	case errors.As(err, &resolve):
		e.problem("name", err.Error(), "check the spelling")
	case errors.As(err, &connect):
		e.connect(connect)
	case errors.As(err, &ident):
		e.problem("banner", "what answers on port is no SSH server: "+ident.Error(),
			fmt.Sprintf("is %d the right port? On the server: ss -tnlp | grep sshd", c.Port))
	case errors.As(err, &offer):
		e.problem("algorithms", offer.Error(), "the server is old, or has few algorithms turned on: update it",
			"until then, for this host alone, in ~/.ssh/config: "+keywordFor(offer)+" +"+firstOf(offer.Offer))
	case errors.As(err, &hostKey):
		e.hostKey(hostKey)
	case errors.As(err, &denied):
		e.denied(denied)
	case errors.As(err, &peer):
		advice := []string{"its log says more: journalctl -u ssh, or /var/log/auth.log"}
		if strings.Contains(peer.Message, "Too many authentication failures") {
			advice = []string{"too many keys were offered: name the right one with IdentityFile and set IdentitiesOnly yes"}
		}
		e.problem("server", "it closed the connection: "+peer.Message, advice...)
	case errors.Is(err, ssh.ErrTimeout):
		e.problem("server", fmt.Sprintf("the port is open, and nothing more came within %v", c.ConnectTimeout),
			"the server is overloaded or a firewall lets only the first packets through (path MTU: try a smaller one)")
	case errors.Is(err, syscall.ECONNRESET):
		e.problem("server", "it reset the connection", "a firewall or ban between here and there, or an old server that cannot bear long lists: ssh -o KexAlgorithms=… -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256",
			"on the server: its log, /etc/hosts.deny, fail2ban-client status sshd, MaxStartups")
	case errors.Is(err, io.EOF):
		e.problem("server", "it closed the connection without a word",
			"on the server: its log; PerSourcePenalties, MaxStartups, fail2ban or /etc/hosts.deny may keep you out; sshd -t tells whether it has host keys")
		e.tell()
	default:
		e.problem("connection", err.Error(), "ssh -vvv "+e.destination()+" shows every step")
		e.tell()
	}
}

// tell shows what was logged as an error, of a jump host for example.
func (e *examination) tell() {
	for _, line := range e.log.all() {
		if !strings.HasPrefix(line, "debug") && line != "" {
			e.note("log", "%s", line)
		}
	}
}

func (e *examination) connect(err *client.ConnectError) {
	c := e.conf
	where := fmt.Sprintf("port %d of %s", c.Port, c.Hostname)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		e.problem("port", "connection refused: nobody listens on "+where,
			"on the server: systemctl status ssh; ss -tnlp | grep sshd shows its ports", "is it the right port? see Port in nacre explain "+c.Host+" port")
	case errors.Is(err, syscall.ETIMEDOUT):
		e.problem("port", "no answer from "+where, "is the machine up? ping "+c.Hostname,
			"a firewall may drop what comes in: on the server, iptables -nvL or nft list ruleset; at home, the router's port forwarding")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.problem("route", "no way to "+where+": "+client.Strerror(err.Err), "ip route get "+c.Hostname+"; is the network, or the VPN, up?")
	case err.Err == nil:
		e.problem("route", "no address to connect from", "see BindAddress and BindInterface: nacre explain "+c.Host+" bindaddress bindinterface")
	default:
		e.problem("port", err.Error(), "ip route get "+c.Hostname)
	}
}

func (e *examination) hostKey(err *ssh.HostKeyError) {
	c := e.conf
	finger := ""
	if err.Key != nil {
		finger = ssh.FingerprintSHA256(err.Key)
	}
	said := strings.Join(e.log.all(), "\n")
	name := c.Hostname
	if c.HostKeyAlias != "" {
		name = c.HostKeyAlias
	} else if c.Port != 22 {
		name = fmt.Sprintf("[%s]:%d", c.Hostname, c.Port)
	}
	switch {
	case strings.Contains(said, "REVOKED"), strings.Contains(said, "revoked"):
		e.problem("host key", "the server's key is revoked: "+finger, "do not connect; ask who runs it")
	case strings.Contains(said, "IDENTIFICATION HAS CHANGED"):
		e.problem("host key", "the server's key is not the one that is known: "+finger,
			"somebody may be between you and it: compare with the fingerprint there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
			"if the server was made anew: ssh-keygen -R '"+name+"'")
	case !errors.Is(err.Err, client.ErrHostKey):
		e.problem("host key", "the server's key was not accepted: "+err.Err.Error(), "see RequiredRSASize and HostKeyAlgorithms")
	default:
		e.problem("host key", "the server's key is not known yet: "+finger,
			"compare it with the fingerprint on the server (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then connect once: ssh "+e.destination())
	}
}

func (e *examination) denied(err *ssh.DeniedError) {
	offered := 0
	for _, line := range e.log.all() {
		if strings.HasPrefix(line, "debug1: Offering public key: ") {
			offered++
		}
	}
	takes := func(method string) bool {
		for _, m := range err.Methods {
			if m == method {
				return true
			}
		}
		return false
	}
	text := fmt.Sprintf("permission denied: %d keys were offered and none was taken; the server takes: %s", offered, strings.Join(err.Methods, ", "))
	var advice []string
	switch {
	case !takes("publickey"):
		advice = append(advice, "the server takes no keys (any more): its PubkeyAuthentication, or AuthenticationMethods, says so")
	case offered == 0:
		advice = append(advice, "no key was offered: see the lines about keys and agent above")
	default:
		if takes("password") || takes("keyboard-interactive") {
			advice = append(advice, "is a key of the list above in ~/.ssh/authorized_keys there? ssh-copy-id "+e.destination())
		} else {
			advice = append(advice, "is a key of the list above in ~/.ssh/authorized_keys there, on one line, whole?")
		}
		advice = append(advice,
			"on the server as "+e.conf.User+": chmod go-w ~ ~/.ssh ~/.ssh/authorized_keys (its log says: Authentication refused: bad ownership or modes)",
			"on the server: AllowUsers, AllowGroups, DenyUsers in sshd_config; a locked account (passwd -S "+e.conf.User+"); its log: journalctl -u ssh",
			"is "+e.conf.User+" the right name? see nacre explain "+e.conf.Host+" user")
	}
	if takes("password") || takes("keyboard-interactive") {
		advice = append(advice, "a password would be asked for: the doctor does not try that")
	}
	e.problem("login", text, advice...)
}

func keywordFor(e *ssh.NegotiationError) string {
	switch e.Kind {
	case "key exchange method":
		return "KexAlgorithms"
	case "host key type":
		return "HostKeyAlgorithms"
	case "cipher":
		return "Ciphers"
	case "MAC":
		return "MACs"
	}
	return "Compression"
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return "…"
	}
	return list[0]
}

// lines gathers what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// maxLog is how much of the log is kept: a server may make it long.
const maxLog = 1 << 20

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < maxLog {
		l.b.Write(p)
	}
	return len(p), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.ReplaceAll(l.b.String(), "\r", ""), "\n")
}
