package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The generator draws whole configurations: blocks, criteria, tokens, quoting,
// options of the command line and included files, good values and bad ones.
// What it draws depends on the seed alone.

const (
	drawSeed  = 20
	drawLeast = 20 // how often each keyword, criterion and token is drawn at least
	drawSome  = 16 // without NACRE_CONFIGURATIONS=all, every sixteenth is asked about
)

// drawPeers are the stock clients that are asked, and for how many
// configurations each.
var drawPeers = [...]struct {
	name, program, begins string
	count                 int
	lacks                 map[string]string
}{
	{"10.0", "../build/peers/openssh-10/usr/bin/ssh", "OpenSSH_10.0", 1700, lacks100},
	{"9.2", "/usr/bin/ssh", "OpenSSH_9.2", 400, lacks92},
}

// lacks100 is what OpenSSH 10.0 of Debian shows or reads differently than
// 10.5, and why: keywords it does not know, which it is not shown, keywords
// that are compared only where they are given ("default: "), and ones that
// cannot be compared at all ("always: ").
var lacks100 = map[string]string{
	"warnweakcrypto":            "new in 10.1",
	"versionaddendum":           "new on the client in 10.3",
	"refuseconnection":          "new in 10.1",
	"ipqos":                     "default: lowdelay throughput before 10.1, ef cs0 since",
	"revokedhostkeys":           "always: a list of files since 10.3, and none is shown",
	"forwardx11trusted":         "default: Debian's is yes",
	"serveraliveinterval":       "always: Debian changes it with BatchMode",
	"gssapiauthentication":      "always: built without",
	"gssapidelegatecredentials": "always: built without",
	"gssapikeyexchange":         "always: Debian's patch",
	"gssapitrustdns":            "always: Debian's patch",
	"gssapirenewalforcesrekey":  "always: Debian's patch",
	"gssapikexalgorithms":       "always: Debian's patch",
	"gssapiclientidentity":      "always: Debian's patch",
	"gssapiserveridentity":      "always: Debian's patch",
}

// lacks92 is the same for 9.2, beyond what 10.0 lacks.
var lacks92 = func() map[string]string {
	m := maps.Clone(lacks100)
	m["obscurekeystroketiming"] = "new in 9.5"
	m["channeltimeout"] = "new on the client in 9.6"
	m["tag"] = "new in 9.4"
	return m
}()

const (
	anyToken   = "\x01" // replaced by one of TokensDefault
	proxyToken = "\x02" // by one of TokensProxy
	userToken  = "\x03" // by one of TokensUser
	knownToken = "\x04" // by one of TokensKnownHosts
	localToken = "\x05" // by one of TokensLocalCommand
	hostToken  = "\x06" // %h or %%
)

var tokenSets = map[byte]string{1: TokensDefault, 2: TokensProxy, 3: TokensUser, 4: TokensKnownHosts, 5: TokensLocalCommand, 6: TokensHostname}

// drawValues has good values of every keyword.
var drawValues = map[string][]string{
	"User": {"joe", "\"joe\"", "'jane'", "u" + userToken, "u-" + userToken + userToken, "${DRAWN_USER}"}, "Hostname": {"other.example", hostToken + ".lan", "10.0.0.9", "UPPER.example", "x" + hostToken, "::2"},
	"Port": {"2222", "22", "\"23\"", "65535"}, "AddressFamily": {"any", "inet", "inet6", "INET"},
	"CanonicalizeHostname": {"no", "yes", "always", "false"}, "ControlMaster": {"auto", "ask", "autoask", "yes", "no", "true"},
	"FingerprintHash": {"md5", "sha256", "MD5"}, "PubkeyAuthentication": {"yes", "no", "unbound", "host-bound"},
	"RequestTTY": {"yes", "no", "force", "auto"}, "SessionType": {"none", "subsystem", "default"}, "StrictHostKeyChecking": {"yes", "no", "off", "ask", "accept-new"},
	"Tunnel": {"no", "yes", "ethernet", "point-to-point"}, "VerifyHostKeyDNS": {"yes", "no", "ask"}, "UpdateHostKeys": {"yes", "no", "ask"}, "WarnWeakCrypto": {"yes", "no", "no-pq-kex"}, "Compression": {"yes", "no"},
	"CanonicalizeMaxDots": {"0", "1", "7"}, "ConnectionAttempts": {"1", "5"}, "ForwardX11Timeout": {"0", "10m", "1h30m"}, "NumberOfPasswordPrompts": {"1", "7"}, "ServerAliveCountMax": {"1", "9"}, "ServerAliveInterval": {"5", "1m"},
	"RequiredRSASize": {"2048", "1024"}, "ObscureKeystrokeTiming": {"yes", "no", "interval:80"},
	"BindAddress": {"10.0.0.1", "::1"}, "BindInterface": {"eth0", "lo"}, "ControlPath": {"none", "/tmp/cm-%C", "~/cm/" + anyToken + "-" + anyToken, "${HOME}/" + anyToken, "\"/tmp/a b" + anyToken + "\""},
	"HostKeyAlias": {"alias", "Alias.example"}, "IdentityAgent": {"none", "SSH_AUTH_SOCK", "$DRAWN", "/tmp/" + anyToken, "~/agent-" + anyToken, "${HOME}/x"},
	"IgnoreUnknown": {"Foo*", "x,y"}, "KbdInteractiveDevices": {"pam", "a,b"}, "LocalCommand": {"echo " + localToken + " " + localToken, "echo %T \"a  b\" # " + localToken, "none"},
	"RemoteCommand": {"echo " + anyToken + " " + anyToken, "none", "ls -l # x"}, "LogLevel": {"QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "info"},
	"PKCS11Provider": {"/usr/lib/x.so", "none"}, "SecurityKeyProvider": {"internal", "/usr/lib/sk.so"}, "PreferredAuthentications": {"publickey", "password,publickey"}, "XAuthLocation": {"/usr/bin/x"},
	"KnownHostsCommand": {"/bin/x " + knownToken + " " + knownToken, "none"}, "Tag": {"red", "blue"}, "VersionAddendum": {"hello"}, "RefuseConnection": {"go away"},
	"DynamicForward": {"1080", "127.0.0.1:1080", "[::1]:1080", "*:1080"}, "LocalForward": {"8080 localhost:80", "127.0.0.1:8080 [::1]:80", "/tmp/s localhost:80", "8081 /tmp/t" + anyToken, "/tmp/l" + anyToken + " /tmp/r" + anyToken, "*:8080 h:81"},
	"RemoteForward": {"8080 localhost:80", "1080", "0 localhost:80", "/tmp/a" + anyToken + " /tmp/b", "localhost:1081"}, "IdentityFile": {"~/.ssh/key", "/k/" + anyToken, "none", "\"/a b/" + anyToken + "\"", "${HOME}/k"}, "CertificateFile": {"~/.ssh/c.pub", "/c/" + anyToken},
	"CanonicalDomains": {"invalid", "a.invalid b.invalid", "none"}, "GlobalKnownHostsFile": {"/a /b", "none", "~/g"}, "UserKnownHostsFile": {"/a ~/b", "none", "/c/" + anyToken, "${HOME}/u"}, "RevokedHostKeys": {"/r", "none", "/r/" + anyToken},
	"SendEnv": {"LANG LC_*", "-LC_*", "A B C*", "-*"}, "SetEnv": {"A=1", "A=1 \"B=c d\"", "X=y Z="}, "LogVerbose": {"a:b:c", "none"}, "ChannelTimeout": {"session=5m", "session:*=5m direct-tcpip=1h", "none", "global=30"}, "PermitRemoteOpen": {"a:1 b:2", "any", "none", "*:*", "[::1]:80"},
	"AddKeysToAgent": {"yes", "no", "ask", "confirm", "confirm 5m", "1h"}, "ForwardAgent": {"yes", "no", "/tmp/agent" + anyToken, "$DRAWN", "~/a", "${HOME}/f"}, "ConnectTimeout": {"5", "none", "1m30s"}, "TunnelDevice": {"1", "1:2", "any:3", "any"}, "CanonicalizePermittedCNAMEs": {"none"},
	"ControlPersist": {"yes", "no", "10m", "0"}, "EscapeChar": {"none", "^]", "x", "^A"}, "IPQoS": {"af11", "ef cs7", "32", "none", "le none"}, "RekeyLimit": {"1G", "default 1h", "512K none", "16", "1G 5m"}, "StreamLocalBindMask": {"0177", "022", "0"}, "SyslogFacility": {"LOCAL7", "AUTH", "USER"},
	"ProxyCommand": {"nc " + proxyToken + " " + proxyToken, "none", "x \"%h\"", "nc -X 5 %h:%p # r" + proxyToken}, "ProxyJump": {"jump.example", "u@j:2222", "a,b@c:3,d", "ssh://u@h:99", "none", "[::1]:22"},
	"Protocol": {"2"}, "Cipher": {"x"}, "FallBackToRsh": {"no"}, "GlobalKnownHostsFile2": {"x"}, "RhostsAuthentication": {"no"}, "UserKnownHostsFile2": {"x"}, "UseRoaming": {"no"}, "UseRsh": {"no"}, "UsePrivilegedPort": {"no"},
	"AFSTokenPassing": {"no"}, "KerberosAuthentication": {"no"}, "KerberosTgtPassing": {"no"}, "RSAAuthentication": {"no"}, "RhostsRSAAuthentication": {"no"}, "CompressionLevel": {"9"},
	"GSSAPIKeyExchange": {"no"}, "GSSAPITrustDns": {"no"}, "GSSAPIRenewalForcesRekey": {"no"}, "GSSAPIClientIdentity": {"x"}, "GSSAPIServerIdentity": {"x"}, "GSSAPIKexAlgorithms": {"gss-gex-sha1-"},
}

// drawNames has values for the keywords of algorithm names, by the query that
// lists them.
var drawNames = map[string]string{
	"Ciphers": "cipher", "MACs": "mac", "KexAlgorithms": "kex", "HostKeyAlgorithms": "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms": "PubkeyAcceptedAlgorithms",
	"HostbasedAcceptedAlgorithms": "HostbasedAcceptedAlgorithms", "CASignatureAlgorithms": "sig",
}

// drawBad are values that no release takes.
var drawBad = map[string][]string{
	"Port": {"22x", "0", "65536"}, "BatchMode": {"maybe", ""}, "AddressFamily": {"ipx"}, "RequestTTY": {"x"}, "ConnectTimeout": {"x", "1y"}, "LogLevel": {"x"}, "Ciphers": {"x", "+x"}, "MACs": {"x"}, "HostKeyAlgorithms": {"x"},
	"TunnelDevice": {"x", "1:2:3"}, "EscapeChar": {"ab", "^"}, "IPQoS": {"256", "x"}, "RekeyLimit": {"15", "x"}, "LocalForward": {"8080", "x h:1"}, "DynamicForward": {"/path"}, "RemoteForward": {"x"}, "ProxyJump": {"a,", "@a", "a b"},
	"StreamLocalBindMask": {"9"}, "SetEnv": {"A"}, "SendEnv": {"A=B"}, "AddKeysToAgent": {"x", "yes 5m"}, "CanonicalDomains": {"-a", "a..b"}, "PermitRemoteOpen": {"a"}, "User": {"\"a", "joe blow"}, "ControlPersist": {"x"}, "Compression": {"yes extra"},
	"ForwardAgent": {"${DRAWN_NOT}"}, "SyslogFacility": {"x"}, "FingerprintHash": {"sha512"}, "ServerAliveInterval": {"-1"}, "NumberOfPasswordPrompts": {"x"},
}

// drawCriteria are the criteria of Match with their arguments.
var drawCriteria = map[string][]string{
	"all": nil, "canonical": nil, "final": nil,
	"host": {"example", "exam*", "*.lan,other*", "!x,*", "nobody"}, "originalhost": {"example", "*", "!example,*", "h?st-1"}, "user": {"root", "joe", "j*,r*", "nobody"}, "localuser": {"root", "nobody", "*"},
	"exec": {"true", "false", "\"test " + anyToken + " = example\"", "\"test x" + anyToken + " != y\""}, "localnetwork": {"127.0.0.0/8", "10.99.0.0/16,::1/128", "192.0.2.0/24"},
	"tagged": {"red", "b*", "\"\""}, "command": {"\"echo *\"", "*", "\"\"", "ls"}, "version": {"OpenSSH_*", "dropbear*"}, "sessiontype": {"shell", "exec", "none", "subsystem", "shell,exec"},
}

// drawn is one configuration.
type drawn struct {
	host, command string
	options       []string
	files         []string // the main one first, then what it includes
	number        int
	words         map[string]int // what was drawn
	want, said    string
	failed        bool
}

type drawer struct {
	*rand.Rand
	keywords []string
	counts   map[string]int // of keywords, in all configurations: the rarest are drawn
	names    map[string][]string
	lacks    map[string]string
	old      bool // for 9.2
	d        *drawn
}

func (g *drawer) pick(l []string) string { return l[g.IntN(len(l))] }

func (g *drawer) keyword() string {
	best := g.pick(g.keywords)
	for range 2 { // whoever is behind catches up
		if k := g.pick(g.keywords); g.counts[k] < g.counts[best] {
			best = k
		}
	}
	return best
}

// fill replaces the places of tokens.
func (g *drawer) fill(s string) string {
	var b strings.Builder
	for i := range len(s) {
		set, ok := tokenSets[s[i]]
		if !ok {
			b.WriteByte(s[i])
			continue
		}
		c := (set + "%")[g.IntN(len(set)+1)]
		for g.old && (c == 'j' || c == 'C') { // new in 9.6, and so part of %C
			c = (set + "%")[g.IntN(len(set)+1)]
		}
		g.d.words["%"+string(c)]++
		b.WriteString("%" + string(c))
	}
	return b.String()
}

func (g *drawer) value(k string) string {
	if names := g.names[k]; names != nil {
		var l []string
		for range 1 + g.IntN(3) {
			l = append(l, g.pick(names))
		}
		how := g.pick([]string{"", "", "+", "-", "^"})
		if how == "-" && g.IntN(2) == 0 {
			l[0] = l[0][:4] + "*"
		}
		return how + strings.Join(l, ",")
	}
	if v := drawValues[k]; v != nil {
		return g.fill(g.pick(v))
	}
	return g.pick([]string{"yes", "no", "yes", "no", "true", "NO"})
}

func (g *drawer) line() string {
	k := g.keyword()
	if b := drawBad[k]; b != nil && g.IntN(60) == 0 {
		return k + " " + g.pick(b)
	}
	v := g.value(k)
	if strings.Contains(v, "%T") {
		g.d.words["%T"]++
	}
	if g.old && (k == "User" || k == "SetEnv") && strings.ContainsAny(v, "%$") { // no tokens there yet
		v = "joe=1"
	}
	if g.old && k == "ControlPath" { // %C has %j in it since 9.6
		v = strings.ReplaceAll(v, "%C", "%h")
	}
	g.count(k)
	name := k
	switch g.IntN(4) {
	case 0:
		name = strings.ToLower(k)
	case 1:
		name = strings.ToUpper(k)
	}
	rest := k == "ProxyCommand" || k == "LocalCommand" || k == "RemoteCommand" || k == "KnownHostsCommand" || k == "ProxyJump" || k == "VersionAddendum" || k == "RefuseConnection"
	if !rest && g.IntN(12) == 0 {
		v += "  # " + g.pick([]string{"comment", "# more", "\"x"})
	}
	return g.pick([]string{"", " ", "\t", "    "}) + name + g.pick([]string{" ", "  ", "=", " = ", "\t", " "}) + v
}

func (g *drawer) count(k string) {
	g.counts[k]++
	g.d.words[k]++
}

func (g *drawer) criteria() string {
	var l []string
	for range 1 + g.IntN(3) {
		c := g.pick(drawNamesOf)
		if g.old && slices.Contains([]string{"tagged", "command", "version", "sessiontype", "localnetwork"}, c) {
			c = "host"
		}
		if c == "all" && len(l) > 0 {
			continue
		}
		text := g.pick([]string{"", "", "", "!"}) + c
		if c == "all" {
			text = c
		}
		if args := drawCriteria[c]; args != nil {
			sep := " "
			if c != "sessiontype" && !g.old && g.IntN(4) == 0 {
				sep = "="
			}
			arg := g.fill(g.pick(args))
			if strings.HasPrefix(arg, "\"") && sep == "=" {
				sep = " "
			}
			text += sep + arg
		}
		g.d.words["Match "+c]++
		l = append(l, text)
		if c == "all" {
			break
		}
	}
	return "Match " + strings.Join(l, " ")
}

var drawNamesOf = slices.Sorted(maps.Keys(drawCriteria))

func (g *drawer) block(dir string, number int) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		switch g.IntN(5) {
		case 0, 1:
			b.WriteString("Host " + g.pick([]string{"example", "*", "exam*", "!example *", "nobody example", "10.* host-?", "* !nobody"}) + "\n")
			g.count("Host")
		case 2, 3:
			b.WriteString(g.criteria() + "\n")
			g.count("Match")
		}
		for range 3 + g.IntN(12) {
			b.WriteString(g.line() + "\n")
		}
		if g.IntN(12) == 0 {
			b.WriteString(g.pick([]string{"", "# a comment", "  # another", "\t"}) + "\n")
		}
	}
	return b.String()
}

func (g *drawer) draw(dir string, number int) *drawn {
	d := &drawn{words: map[string]int{}}
	g.d = d
	d.host = g.pick([]string{"example", "example", "example", "EXAMPLE.org", "host-1", "10.1.2.3", "::1", "a.b.c"})
	d.command = g.pick([]string{"", "", "", "ls", "echo x"})
	for range g.IntN(3) {
		if l := strings.TrimSpace(g.line()); !strings.ContainsRune(l, '#') {
			d.options = append(d.options, l)
		}
	}
	main := g.block(dir, number)
	if g.IntN(8) == 0 {
		name := filepath.Join(dir, fmt.Sprintf("%d-included", number))
		at := strings.LastIndexByte(strings.TrimSuffix(main[:g.IntN(len(main))], "\n"), '\n') + 1
		include := g.pick([]string{name, name[:len(name)-3] + "*", "\"" + name + "\""})
		g.count("Include")
		main = main[:at] + "Include " + include + "\n" + main[at:]
		d.files = []string{main, g.block(dir, number)}
		return d
	}
	d.files = []string{main}
	return d
}

// TestStockGenerated asks stock clients what they make of generated
// configurations. Nothing may differ but what the tables of reasons name.
func TestStockGenerated(t *testing.T) {
	t.Setenv("DRAWN_USER", "drawn")
	t.Setenv("DRAWN", "/tmp/drawn")
	total := map[string]int{}
	done := 0
	for i := range drawPeers {
		p := &drawPeers[i]
		if out, err := exec.Command(p.program, "-V").CombinedOutput(); err != nil || !bytes.HasPrefix(out, []byte(p.begins)) {
			t.Logf("peer lacks %s: %s", p.program, p.begins)
			continue
		}
		t.Run(p.name, func(t *testing.T) { done += testGenerated(t, i, total) })
	}
	if done == 0 {
		t.Skip("peer lacks stock clients")
	}
	var lines []string
	need := []string{"Host", "Match", "Include"}
	for i := range clientRows {
		need = append(need, clientRows[i].name)
	}
	for i := range clientOld {
		need = append(need, clientOld[i].name)
	}
	for _, c := range drawNamesOf {
		need = append(need, "Match "+c)
	}
	for _, c := range TokensKnownHosts + "T%" {
		need = append(need, "%"+string(c))
	}
	for _, w := range need {
		lines = append(lines, fmt.Sprintf("%s %d", w, total[w]))
		if total[w] < drawLeast {
			t.Errorf("%s was drawn %d times only", w, total[w])
		}
	}
	if all := os.Getenv("NACRE_CONFIGURATIONS") == "all"; all && done < 2000 {
		t.Errorf("%d configurations only: a stock client is missing", done)
	}
	t.Logf("%d configurations asked about; drawn: %s", done, strings.Join(lines, ", "))
}

func testGenerated(t *testing.T, peer int, total map[string]int) int {
	p := &drawPeers[peer]
	query := func(args ...string) string {
		out, _ := exec.Command(p.program, args...).Output()
		return string(out)
	}
	base := outputMap(query("-F", "none", "-G", "x"))
	g := &drawer{Rand: rand.New(rand.NewPCG(drawSeed, uint64(peer))), counts: map[string]int{}, names: map[string][]string{}, lacks: p.lacks, old: p.name == "9.2"}
	var alg Algorithms
	for k, q := range drawNames {
		g.names[k] = strings.Fields(query("-Q", q))
		known := NameList{strings.Split(base[strings.ToLower(k)], ","), g.names[k]}
		*map[string]*NameList{"Ciphers": &alg.Ciphers, "MACs": &alg.MACs, "KexAlgorithms": &alg.KexAlgorithms, "HostKeyAlgorithms": &alg.HostKeyAlgorithms,
			"PubkeyAcceptedAlgorithms": &alg.PubkeyAcceptedAlgorithms, "HostbasedAcceptedAlgorithms": &alg.HostbasedAcceptedAlgorithms, "CASignatureAlgorithms": &alg.CASignatureAlgorithms}[k] = known
	}
	for i := range clientRows {
		g.keywords = append(g.keywords, clientRows[i].name)
	}
	for i := range clientOld {
		g.keywords = append(g.keywords, clientOld[i].name)
		if clientOld[i].how == alias && drawValues[clientOld[i].name] == nil && g.names[clientOld[i].is] != nil {
			g.names[clientOld[i].name] = g.names[clientOld[i].is]
		} else if v := drawValues[clientOld[i].is]; clientOld[i].how == alias && v != nil {
			drawValues[clientOld[i].name] = v
		}
	}
	dir := t.TempDir()
	var all []*drawn
	for i := range p.count {
		d := g.draw(dir, i)
		d.number = i
		for w, n := range d.words {
			total[w] += n
		}
		if os.Getenv("NACRE_CONFIGURATIONS") == "all" || i%drawSome == 0 {
			all = append(all, d)
		}
	}
	work := make(chan int)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range work {
				askStock(p.program, p.lacks, dir, all[i].number, all[i])
			}
		})
	}
	for i := range all {
		work <- i
	}
	close(work)
	wg.Wait()
	refused, wrong := 0, 0
	for _, d := range all {
		if d.failed {
			refused++
		}
		if why := d.compare(t, alg, p.begins, p.lacks, dir, d.number); why != "" {
			if wrong++; wrong <= 10 {
				t.Errorf("configuration %d, host %s %s, options %q: %s\n%s", d.number, d.host, d.command, d.options, why, strings.Join(d.files, "--- included\n"))
			}
		}
	}
	t.Logf("%d configurations, %d refused by both, %d differ", len(all), refused, wrong)
	return len(all)
}

// forStock is a configuration without what the peer does not know, line by
// line: an empty line for each that goes.
func forStock(text string, lacks map[string]string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		k, _ := cutKeyword(l)
		if strings.HasPrefix(lacks[strings.ToLower(k)], "new ") {
			lines[i] = "#"
		}
	}
	return strings.Join(lines, "\n")
}

func askStock(program string, lacks map[string]string, dir string, number int, d *drawn) {
	name := filepath.Join(dir, fmt.Sprintf("%d-config", number))
	os.WriteFile(name, []byte(forStock(d.files[0], lacks)), 0o600)
	if len(d.files) > 1 {
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-included", number)), []byte(forStock(d.files[1], lacks)), 0o600)
	}
	args := []string{"-F", name}
	for _, o := range d.options {
		if o = forStock(o, lacks); o != "#" {
			args = append(args, "-o", o)
		}
	}
	args = append(args, "-G", "--", d.host)
	if d.command != "" {
		args = append(args, d.command)
	}
	cmd := exec.Command(program, args...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	d.failed = cmd.Run() != nil
	d.want, d.said = out.String(), errb.String()
}

// drawnFiles are the files as the stock client saw them.
type drawnFiles struct{ OSFiles }

// compare says what differs, "" for nothing.
func (d *drawn) compare(t *testing.T, alg Algorithms, release string, lacks map[string]string, dir string, number int) string {
	ctx := testContext(t, alg)
	ctx.Host, ctx.Command, ctx.Version = d.host, d.command, release
	ctx.LocalAddrs = func() ([]netip.Addr, error) {
		addrs, err := net.InterfaceAddrs()
		var l []netip.Addr
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					l = append(l, ip.Unmap())
				}
			}
		}
		return l, err
	}
	ctx.Files = drawnFiles{}
	ctx.LookupHost = func(*Client, string) (string, error) { return "", errors.New("Name or service not known") }
	name := filepath.Join(dir, fmt.Sprintf("%d-config", number))
	var options []string
	for _, o := range d.options {
		if o = forStock(o, lacks); o != "#" {
			options = append(options, o)
		}
	}
	c, err := ParseClient(Sources{options, DefaultSources(ctx.Home, name)}, ctx)
	if err != nil || d.failed {
		var theirs, ours []string
		for _, l := range strings.Split(strings.ReplaceAll(strings.TrimSpace(d.said), "\r", ""), "\n") {
			l = strings.TrimPrefix(l, "vdollar_percent_expand: ")
			if l != "percent_expand: failed" && !strings.Contains(l, "Unsupported option \"") && !strings.HasPrefix(l, "Pseudo-terminal") && !strings.HasPrefix(l, "debug") && l != "" {
				theirs = append(theirs, l)
			}
		}
		if err != nil {
			ours = withoutHints(strings.Split(err.Error(), "\n"))
		}
		if err == nil && len(theirs) > 0 && d.programRefuses(c, theirs[0]) {
			return ""
		}
		if !slices.Equal(ours, theirs) {
			return "errors differ:\n--- stock\n" + strings.Join(theirs, "\n") + "\n--- ours\n" + strings.Join(ours, "\n") + "\n"
		}
		return ""
	}
	var out bytes.Buffer
	c.Print(&out)
	return differ(d.want, out.String(), lacks, c)
}

// programRefuses says whether said is what the program, not the
// configuration, has against these values.
func (d *drawn) programRefuses(c *Client, said string) bool {
	switch said {
	case "Cannot fork into background without a command to execute.":
		return c.ForkAfterAuthentication && d.command == "" && c.RemoteCommand == "" && c.SessionType != SessionNone
	case "You must specify a subsystem to invoke.":
		return d.command == "" && c.SessionType == SessionSubsystem
	case "Cannot execute command-line and remote command.":
		return d.command != "" && c.RemoteCommand != ""
	}
	if host, loop := c.JumpsToItself(); loop && said == "jumphost loop via "+host {
		return true
	}
	path, ok := strings.CutPrefix(said, "Cannot forward agent socket path \"")
	return ok && c.ExitOnForwardFailure && c.ForwardAgent.Path != "" && strings.HasPrefix(path, c.ForwardAgent.Path)
}

// differ compares the outputs in order.
func differ(want, got string, lacks map[string]string, c *Client) string {
	keep := func(out string) []string {
		var lines []string
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			k, _, _ := strings.Cut(l, " ")
			why := lacks[strings.ToLower(k)]
			if why != "" && !(strings.HasPrefix(why, "default: ") && c.IsSet(k)) {
				continue
			}
			if k == "identityfile" && (strings.HasSuffix(l, "id_xmss") || strings.HasSuffix(l, "id_dsa") || strings.HasSuffix(l, "id_mldsa44_ed25519")) {
				continue // default identities differ between releases
			}
			lines = append(lines, l)
		}
		return lines
	}
	// Stock shows ObscureKeystrokeTiming as a number that it does not read, and
	// local forwards to a socket as dynamic ones too: read again, they would be
	// two. Ours is what was meant.
	want = strings.Replace(want, "\nobscurekeystroketiming 80\n", "\nobscurekeystroketiming interval:80\n", 1)
	for _, f := range c.LocalForward {
		if f.ConnectPath != "" {
			listen := f.ListenPath
			if listen == "" {
				listen = fmt.Sprint(f.ListenPort)
			}
			want = strings.Replace(want, "\ndynamicforward "+listen+"\n", "\n", 1)
		}
	}
	w, g := keep(want), keep(got)
	for i := 0; i < len(w) || i < len(g); i++ {
		a, b := "nothing", "nothing"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("stock %q, ours %q", a, b)
		}
	}
	return ""
}
