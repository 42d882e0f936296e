package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/knownhosts"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// ErrHostKey says that a host key was not accepted. Why was logged.
var ErrHostKey = errors.New("Host key verification failed.")

// HostKeys decides about a server's key as StrictHostKeyChecking and
// known_hosts say, asks the person where they leave it open, and learns new
// keys. Every error is a refusal (CLI-9).
type HostKeys struct {
	Conf    *sshconfig.Client
	Log     *Logger
	Ask     *Prompter
	Home    string // shown as ~ in file names
	Proxied bool   // the address behind is not known

	// Trusted says, after Check, that known_hosts or the person vouched for
	// the key. Unsafe says that it was taken although known_hosts speaks
	// against it: methods and forwards that a man in the middle could use
	// have been turned off in Conf.
	Trusted, Unsafe bool
	// What vouched for it: a system's file, KnownHostsCommand, a certificate.
	Global, Command, Certificate bool

	// Resolver answers VerifyHostKeyDNS; nil is the system's.
	Resolver *Resolver

	hosts   *knownhosts.Hosts
	global  int        // index of the first system's file among hosts.Files
	address netip.Addr // of the server
}

// Name is what the host is called in known_hosts.
func (h *HostKeys) Name() string {
	if h.Conf.HostKeyAlias != "" {
		return strings.ToLower(h.Conf.HostKeyAlias)
	}
	return knownhosts.Name(h.Conf.Hostname, h.Conf.Port)
}

// Load reads the files.
func (h *HostKeys) Load() {
	h.hosts = &knownhosts.Hosts{CASignatureAlgorithms: h.Conf.CASignatureAlgorithms}
	h.read(h.userFiles())
	h.global = len(h.hosts.Files)
	h.read(without(h.Conf.GlobalKnownHostsFile, "none"))
}

func (h *HostKeys) userFiles() []string { return without(h.Conf.UserKnownHostsFile, "none") }

func without(list []string, word string) []string {
	if len(list) == 1 && strings.EqualFold(list[0], word) {
		return nil
	}
	return list
}

func (h *HostKeys) read(names []string) {
	for _, name := range names {
		f, err := knownhosts.Read(name)
		switch {
		case err == nil:
			h.hosts.Files = append(h.hosts.Files, f)
		case errors.Is(err, fs.ErrNotExist):
			h.Log.Debug1("load_hostkeys: fopen %s: %s", name, Strerror(err))
		default:
			h.Log.Error("load_hostkeys: %s: %s", name, Strerror(err))
		}
	}
}

// Algorithms are HostKeyAlgorithms, those first whose key is known, unless
// the person gave the list.
func (h *HostKeys) Algorithms(ctx context.Context) ([]string, error) {
	if h.Conf.IsSet("HostKeyAlgorithms") {
		return h.Conf.HostKeyAlgorithms, nil
	}
	hosts, err := h.with(ctx, askOrder, h.Name(), nil)
	if err != nil {
		return nil, err
	}
	return hosts.HostKeyAlgorithms(h.Name(), h.Conf.HostKeyAlgorithms), nil
}

// fingerprint is a key's as FingerprintHash says.
func (h *HostKeys) fingerprint(key ssh.PublicKey) string { return Fingerprint(h.Conf, key) }

// Fingerprint is a key's as FingerprintHash says.
func Fingerprint(c *sshconfig.Client, key ssh.PublicKey) string {
	if c.FingerprintHash == sshconfig.MD5 {
		return "MD5:" + ssh.FingerprintLegacyMD5(key)
	}
	return ssh.FingerprintSHA256(key)
}

// Check has the shape of ssh.ClientConfig.HostKey. Its error wraps ErrHostKey.
func (h *HostKeys) Check(ctx context.Context, _ string, remote net.Addr, key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		h.Log.Debug1("Server host certificate: %s %s, serial %d ID \"%s\" CA %s %s valid %s", key.Type(), h.fingerprint(pubkey.Plain(key)),
			cert.Serial, cert.KeyId, cert.SignatureKey.Type(), h.fingerprint(cert.SignatureKey), validity(cert))
		for _, p := range cert.ValidPrincipals {
			h.Log.Debug2("Server host certificate hostname: %s", p)
		}
	} else {
		h.Log.Debug1("Server host key: %s %s", key.Type(), h.fingerprint(key))
	}
	if err := h.revoked(key); err != nil {
		return err
	}
	dns := dnsVerdict{}
	if h.Conf.VerifyHostKeyDNS != sshconfig.AskNo {
		dns = h.verifyDNS(ctx, key)
		switch {
		case dns.match && dns.secure && h.Conf.VerifyHostKeyDNS == sshconfig.AskYes:
			return nil
		case dns.found && !dns.match:
			h.warnChanged(pubkey.Plain(key))
			h.Log.Error("Update the SSHFP RR in DNS with the new host key to get rid of this message.")
		}
	}
	a := address(remote)
	h.address = a
	if h.Conf.NoHostAuthenticationForLocalhost && !h.Proxied && a.IsLoopback() && h.Conf.HostKeyAlias == "" {
		h.Log.Debug1("Forcing accepting of host key for loopback/localhost.")
		return nil
	}
	return h.decide(ctx, a, key, dns.match)
}

func address(remote net.Addr) netip.Addr {
	if t, ok := remote.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func validity(c *ssh.Certificate) string {
	const form = "2006-01-02T15:04:05"
	from, to := "", "forever"
	if c.ValidAfter != 0 {
		from = "from " + time.Unix(int64(c.ValidAfter), 0).Format(form)
	}
	if c.ValidBefore != pubkey.CertTimeInfinity {
		to = time.Unix(int64(c.ValidBefore), 0).Format(form)
		if from == "" {
			return "before " + to
		}
		return from + " to " + to
	}
	if from == "" {
		return to
	}
	return strings.Replace(from, "from", "after", 1)
}

// decide looks the key up and acts on what is known.
func (h *HostKeys) decide(ctx context.Context, a netip.Addr, key ssh.PublicKey, inDNS bool) error {
	name, port := h.Conf.Hostname, h.Conf.Port
	if h.Conf.HostKeyAlias != "" {
		name, port = h.Conf.HostKeyAlias, 0
	}
	hosts, err := h.with(ctx, askHostname, h.Name(), key)
	if err != nil {
		return err
	}
	r := hosts.CheckHost(name, port, key)
	_, isCert := key.(*ssh.Certificate)
	byCert := isCert && r.Verdict == knownhosts.Match && r.Matches[0].Marker == knownhosts.CertAuthority
	if r.CertError != nil {
		h.Log.Error("Certificate invalid: %s", certReason(r.CertError))
	}
	if isCert && !byCert && r.Verdict != knownhosts.IsRevoked {
		h.Log.Debug1("No matching CA found. Retry with plain key")
		key = pubkey.Plain(key)
	}
	if r.WithoutPort || r.Verdict == knownhosts.Unknown && port != 0 && port != knownhosts.DefaultPort {
		h.Log.Debug1("checking without port identifier")
	}
	d := &decision{HostKeys: h, hosts: hosts, key: key, kind: pubkey.TypeName(key), name: h.Name(), result: r, address: a, inDNS: inDNS}
	if d.checkAddress() {
		byAddress, err := h.with(ctx, askAddress, d.ipName(), key)
		if err != nil {
			return err
		}
		d.ipResult = byAddress.Lookup(d.ipName(), key)
	}
	switch r.Verdict {
	case knownhosts.Match:
		return d.known(ctx, byCert)
	case knownhosts.IsRevoked:
		return d.revoked()
	case knownhosts.Changed:
		return d.changed()
	}
	return d.unknown(ctx)
}

func certReason(err error) string {
	var c *pubkey.CertError
	if errors.As(err, &c) {
		return c.Reason
	}
	return err.Error()
}

// decision is what is known about one key of one server.
type decision struct {
	*HostKeys
	hosts    *knownhosts.Hosts // with what KnownHostsCommand says
	key      ssh.PublicKey
	kind     string // ED25519 …
	name     string // in known_hosts
	result   knownhosts.Result
	address  netip.Addr
	ipResult knownhosts.Result // with CheckHostIP
	inDNS    bool              // VerifyHostKeyDNS found it
}

// checkAddress says whether the address has an entry of its own.
func (d *decision) checkAddress() bool {
	return d.Conf.CheckHostIP && !d.Proxied && d.address.IsValid() && !d.address.IsLoopback() && d.address.String() != d.Conf.Hostname
}

func (d *decision) ipName() string { return knownhosts.Name(d.address.String(), d.Conf.Port) }

// shownAddress stands in parentheses behind the name.
func (d *decision) shownAddress() string {
	if d.Proxied || !d.address.IsValid() {
		return "<no hostip for proxy command>"
	}
	return d.ipName()
}

func (d *decision) isGlobal(e knownhosts.Entry) bool {
	for i, f := range d.HostKeys.hosts.Files {
		if f.Name == e.File {
			return i >= d.global
		}
	}
	return false
}

// art is the picture of a key.
func (h *HostKeys) art(key ssh.PublicKey) string {
	hash := "sha256"
	if h.Conf.FingerprintHash == sshconfig.MD5 {
		hash = "md5"
	}
	return pubkey.RandomArt(key, hash)
}

func (d *decision) known(ctx context.Context, byCert bool) error {
	what, found := "key", "key"
	if byCert {
		what, found = "certificate", "CA key"
	}
	e := d.result.Matches[0]
	if d.result.WithoutPort {
		d.Log.Debug1("Host '%s' is known and matches the %s host %s.", d.result.Name, d.kind, what)
		d.Log.Debug1("Found %s in %s", found, e.Place())
		d.Log.Debug1("found matching key w/out port")
	} else {
		d.Log.Debug1("Host '%s' is known and matches the %s host %s.", d.name, d.kind, what)
		d.Log.Debug1("Found %s in %s", found, e.Place())
	}
	if d.checkAddress() {
		switch d.ipResult.Verdict {
		case knownhosts.Unknown:
			d.learnAddress(byCert)
		case knownhosts.Changed, knownhosts.IsRevoked:
			if err := d.addressDiffers(ctx); err != nil {
				return err
			}
		}
	}
	if d.Conf.VisualHostKey && !(d.checkAddress() && d.ipResult.Verdict == knownhosts.Unknown) {
		d.Log.Info("Host key fingerprint is %s\n%s", d.fingerprint(d.key), d.art(d.key))
	}
	d.Trusted, d.Certificate, d.Global, d.Command = true, byCert, d.isGlobal(e), strings.HasPrefix(e.File, "KnownHostsCommand-")
	return nil
}

func (d *decision) learnAddress(byCert bool) {
	files := d.userFiles()
	ip := d.ipName()
	switch {
	case byCert || len(files) == 0:
		d.Log.Info("%s host key for IP address '%s' not in list of known hosts.", d.kind, ip)
	case knownhosts.Add(files[0], []string{ip}, d.key, d.Conf.HashKnownHosts) != nil:
		d.Log.Info("Failed to add the %s host key for IP address '%s' to the list of known hosts (%s).", d.kind, ip, files[0])
	default:
		d.Log.Info("Warning: Permanently added the %s host key for IP address '%s' to the list of known hosts.", d.kind, ip)
	}
}

// addressDiffers: the name's key is right, the address has another.
func (d *decision) addressDiffers(ctx context.Context) error {
	text := fmt.Sprintf("Warning: the %s host key for '%s' differs from the key for the IP address '%s'", d.kind, d.name, d.ipName())
	if len(d.ipResult.Offending) > 0 {
		text += "\nOffending key for IP in " + d.ipResult.Offending[0].Place()
	}
	if len(d.result.Matches) > 0 {
		text += "\nMatching host key in " + d.result.Matches[0].Place()
	}
	switch d.Conf.StrictHostKeyChecking {
	case sshconfig.StrictAsk:
		if d.Conf.BatchMode || !d.Ask.Confirm(ctx, text+"\nAre you sure you want to continue connecting (yes/no)? ", "Please type 'yes' or 'no': ", "") {
			return ErrHostKey
		}
	case sshconfig.StrictNo:
		d.Log.Info("%s", text)
	default:
		d.Log.Info("%s", text)
		d.Log.Error("Exiting, you have requested strict checking.")
		return ErrHostKey
	}
	return nil
}

// unknown: nothing speaks for the key or against it.
func (d *decision) unknown(ctx context.Context) error {
	files := d.userFiles()
	if len(files) == 0 && d.Conf.StrictHostKeyChecking != sshconfig.StrictYes {
		return ErrHostKey // it could not be learned
	}
	switch d.Conf.StrictHostKeyChecking {
	case sshconfig.StrictYes:
		d.Log.Error("No %s host key is known for %s and you have requested strict checking.", d.kind, d.name)
		return ErrHostKey
	case sshconfig.StrictAsk:
		if d.Conf.BatchMode {
			return ErrHostKey
		}
		fp := d.fingerprint(d.key)
		if !d.Ask.Confirm(ctx, d.question(fp), "Please type 'yes', 'no' or the fingerprint: ", fp) {
			return ErrHostKey
		}
		d.Trusted = true
	}
	names := []string{d.name}
	if d.checkAddress() && d.ipResult.Verdict == knownhosts.Unknown {
		names = append(names, d.ipName())
	}
	if err := knownhosts.Add(files[0], names, d.key, d.Conf.HashKnownHosts); err != nil {
		d.Log.Info("Failed to add the host to the list of known hosts (%s).", files[0])
		d.Log.Debug1("%s", err)
	} else {
		d.Log.Info("Warning: Permanently added '%s' (%s) to the list of known hosts.", strings.Join(names, ","), d.kind)
	}
	return nil
}

// question is what is asked about an unknown key.
func (d *decision) question(fp string) string {
	s := fmt.Sprintf("The authenticity of host '%s (%s)' can't be established", d.name, d.shownAddress())
	if len(d.result.Known) > 0 {
		for _, e := range d.result.Known {
			d.Log.Info("WARNING: %s key found for host %s\nin %s\n%s key fingerprint %s.", pubkey.TypeName(e.PublicKey()), d.name, e.Place(),
				pubkey.TypeName(e.PublicKey()), d.fingerprint(e.PublicKey()))
			if d.Conf.VisualHostKey {
				d.Log.Info("%s", d.art(e.PublicKey()))
			}
		}
		s += "\nbut keys of different type are already known for this host."
	} else {
		s += "."
	}
	s += "\n" + d.kind + " key fingerprint is: " + fp
	if d.Conf.VisualHostKey {
		s += "\n" + d.art(d.key)
	}
	switch {
	case d.inDNS:
		s += "\nMatching host key fingerprint found in DNS."
	case d.Conf.VerifyHostKeyDNS != sshconfig.AskNo:
		s += "\nNo matching host key fingerprint found in DNS."
	}
	s += "\n" + d.otherNames()
	return s + "\nAre you sure you want to continue connecting (yes/no/[fingerprint])? "
}

// maxOtherNames is how many other names of a key are shown.
const maxOtherNames = 8

func (d *decision) otherNames() string {
	others := d.hosts.OtherNames(d.name, d.key)
	if len(others) == 0 {
		return "This key is not known by any other names."
	}
	var b strings.Builder
	b.WriteString("This host key is known by the following other names/addresses:")
	for _, e := range others[:min(len(others), maxOtherNames)] {
		name := e.Hosts
		if e.IsHashed() {
			name = "[hashed name]"
		}
		b.WriteString("\n    " + d.shorten(e.File) + ":" + fmt.Sprint(e.Number) + ": " + Visible(name))
	}
	if more := len(others) - maxOtherNames; more > 0 {
		fmt.Fprintf(&b, "\n    (%d additional names omitted)", more)
	}
	return b.String()
}

// shorten writes the home directory as ~.
func (d *decision) shorten(file string) string {
	if rest, ok := strings.CutPrefix(file, strings.TrimSuffix(d.Home, "/")+"/"); ok && d.Home != "" {
		return "~/" + rest
	}
	return file
}

const frame = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

func (h *HostKeys) boxed(text string) {
	h.Log.Error(frame)
	h.Log.Error("%s", text)
	h.Log.Error(frame)
}

// warnChanged says that a host shows another key than the known one.
func (h *HostKeys) warnChanged(key ssh.PublicKey) {
	h.boxed("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
	h.Log.Error("IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!")
	h.Log.Error("Someone could be eavesdropping on you right now (man-in-the-middle attack)!")
	h.Log.Error("It is also possible that a host key has just been changed.")
	h.Log.Error("The fingerprint for the %s key sent by the remote host is\n%s.", pubkey.TypeName(key), h.fingerprint(key))
	h.Log.Error("Please contact your system administrator.")
}

// changed: known_hosts has other keys for the name.
func (d *decision) changed() error {
	if d.checkAddress() && !sameVerdict(d.ipResult, d.result) {
		d.spoofing()
	}
	d.warnChanged(d.key)
	e := d.result.Offending[len(d.result.Offending)-1]
	if files := d.userFiles(); len(files) > 0 {
		d.Log.Error("Add correct host key in %s to get rid of this message.", files[0])
	}
	d.Log.Error("Offending %s key in %s", pubkey.TypeName(e.PublicKey()), e.Place())
	d.Log.Error("  remove with:")
	d.Log.Error("  ssh-keygen -f \"%s\" -R \"%s\"", e.File, d.name)
	if d.Conf.StrictHostKeyChecking != sshconfig.StrictNo {
		d.Log.Error("Host key for %s has changed and you have requested strict checking.", d.name)
		return ErrHostKey
	}
	return d.disarm()
}

// sameVerdict says whether name and address tell the same story.
func sameVerdict(a, b knownhosts.Result) bool {
	return a.Verdict == b.Verdict && len(a.Offending) > 0 && len(b.Offending) > 0 &&
		pubkey.Equal(a.Offending[0].PublicKey(), b.Offending[0].PublicKey())
}

func (d *decision) spoofing() {
	what := "has a different value"
	switch d.ipResult.Verdict {
	case knownhosts.Unknown:
		what = "is unknown"
	case knownhosts.Match:
		what = "is unchanged"
	}
	d.boxed("@       WARNING: POSSIBLE DNS SPOOFING DETECTED!          @")
	d.Log.Error("The %s host key for %s has changed,", d.kind, d.name)
	d.Log.Error("and the key for the corresponding IP address %s", d.ipName())
	d.Log.Error("%s. This could either mean that", what)
	d.Log.Error("DNS SPOOFING is happening or the IP address for the host")
	d.Log.Error("and its host key have changed at the same time.")
	if len(d.ipResult.Offending) > 0 {
		d.Log.Error("Offending key for IP in %s", d.ipResult.Offending[0].Place())
	}
}

func (d *decision) revoked() error {
	d.boxed("@       WARNING: REVOKED HOST KEY DETECTED!               @")
	d.Log.Error("The %s host key for %s is marked as revoked.", d.kind, d.name)
	d.Log.Error("This could mean that a stolen key is being used to")
	d.Log.Error("impersonate this host.")
	if d.Conf.StrictHostKeyChecking != sshconfig.StrictNo {
		d.Log.Error("%s host key for %s was revoked and you have requested strict checking.", d.kind, d.name)
		return ErrHostKey
	}
	return d.disarm()
}

// disarm turns off everything that a man in the middle could make use of.
func (h *HostKeys) disarm() error {
	c, lost := h.Conf, false
	h.Unsafe = true
	if c.PasswordAuthentication {
		h.Log.Error("Password authentication is disabled to avoid man-in-the-middle attacks.")
		c.PasswordAuthentication = false
	}
	if c.KbdInteractiveAuthentication {
		h.Log.Error("Keyboard-interactive authentication is disabled to avoid man-in-the-middle attacks.")
		c.KbdInteractiveAuthentication = false
	}
	if c.ForwardAgent.On {
		h.Log.Error("Agent forwarding is disabled to avoid man-in-the-middle attacks.")
		c.ForwardAgent, lost = sshconfig.ForwardAgent{}, true
	}
	if c.ForwardX11 {
		h.Log.Error("X11 forwarding is disabled to avoid man-in-the-middle attacks.")
		c.ForwardX11, lost = false, true
	}
	if len(c.LocalForward)+len(c.RemoteForward)+len(c.DynamicForward) > 0 {
		h.Log.Error("Port forwarding is disabled to avoid man-in-the-middle attacks.")
		c.LocalForward, c.RemoteForward, c.DynamicForward, lost = nil, nil, nil, true
	}
	if c.Tunnel != sshconfig.TunnelNo {
		h.Log.Error("Tunnel forwarding is disabled to avoid man-in-the-middle attacks.")
		c.Tunnel, lost = sshconfig.TunnelNo, true
	}
	if c.UpdateHostKeys != sshconfig.AskNo {
		c.UpdateHostKeys = sshconfig.AskNo
	}
	if lost && c.ExitOnForwardFailure {
		return fmt.Errorf("Error: forwarding disabled due to host key check failure")
	}
	return nil
}

// revoked asks the files of RevokedHostKeys. One that cannot be read refuses
// every key.
func (h *HostKeys) revoked(key ssh.PublicKey) error {
	for _, file := range h.Conf.RevokedHostKeys {
		is, err := revokedBy(file, key)
		if err != nil {
			h.Log.Error("Error checking host key %s %s in revoked keys file %s: %s", pubkey.TypeName(key), h.fingerprint(key), file, Strerror(err))
			return ErrHostKey
		}
		if is {
			h.Log.Error("Host key %s %s revoked by file %s", pubkey.TypeName(key), h.fingerprint(key), file)
			return ErrHostKey
		}
	}
	return nil
}

// revokedBy looks for key, its plain key and its authority in a file of
// revoked keys.
func revokedBy(file string, key ssh.PublicKey) (bool, error) {
	data, err := readRegular(file, keyfile.MaxRevokedSize)
	if err != nil {
		return false, err
	}
	list, err := keyfile.ParseRevoked(data)
	if err != nil {
		return false, err
	}
	return list.Has(key), nil
}
