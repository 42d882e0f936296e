package sshconfig

import "time"

// Client is the configuration of one `ssh` run: every keyword of
// ssh_config(5), one field each, typed. Fields hold the default after [Client.Load].
type Client struct {
	Host string // the destination as typed; after canonicalisation, the full name

	User     string
	Hostname string
	Port     int

	AddressFamily                    AddressFamily
	BatchMode                        bool
	CanonicalizeFallbackLocal        bool
	CanonicalizeHostname             Canonicalize
	CheckHostIP                      bool
	Compression                      bool
	ControlMaster                    ControlMaster
	EnableSSHKeysign                 bool
	ClearAllForwardings              bool
	ExitOnForwardFailure             bool
	FingerprintHash                  FingerprintHash
	ForwardX11                       bool
	ForwardX11Trusted                bool
	GatewayPorts                     bool
	GSSAPIAuthentication             bool
	GSSAPIDelegateCredentials        bool
	HashKnownHosts                   bool
	HostbasedAuthentication          bool
	IdentitiesOnly                   bool
	KbdInteractiveAuthentication     bool
	NoHostAuthenticationForLocalhost bool
	PasswordAuthentication           bool
	PermitLocalCommand               bool
	ProxyUseFdpass                   bool
	PubkeyAuthentication             PubkeyAuthentication
	RequestTTY                       RequestTTY
	SessionType                      SessionType
	StdinNull                        bool
	ForkAfterAuthentication          bool
	StreamLocalBindUnlink            bool
	StrictHostKeyChecking            StrictHostKeyChecking
	TCPKeepAlive                     bool
	Tunnel                           Tunnel
	VerifyHostKeyDNS                 Ask
	VisualHostKey                    bool
	UpdateHostKeys                   Ask
	EnableEscapeCommandline          bool
	WarnWeakCrypto                   WarnWeakCrypto

	CanonicalizeMaxDots     int
	ConnectionAttempts      int
	ForwardX11Timeout       time.Duration // 0: for ever
	NumberOfPasswordPrompts int
	ServerAliveCountMax     int
	ServerAliveInterval     time.Duration // 0: off
	RequiredRSASize         int
	ObscureKeystrokeTiming  time.Duration // the grid; 0: off

	BindAddress                 string
	BindInterface               string
	Ciphers                     []string
	ControlPath                 string // "" and "none": none
	HostKeyAlgorithms           []string
	HostKeyAlias                string
	HostbasedAcceptedAlgorithms []string
	IdentityAgent               string // path, "none", "SSH_AUTH_SOCK", "$VAR"; "": the environment's
	IgnoreUnknown               string
	KbdInteractiveDevices       string
	KexAlgorithms               []string
	CASignatureAlgorithms       []string
	LocalCommand                string
	RemoteCommand               string
	LogLevel                    LogLevel
	MACs                        []string
	PKCS11Provider              string
	SecurityKeyProvider         string
	PreferredAuthentications    string // "": the built-in order
	PubkeyAcceptedAlgorithms    []string
	XAuthLocation               string
	KnownHostsCommand           string
	Tag                         string
	VersionAddendum             string
	RefuseConnection            string

	DynamicForward       []Forward
	LocalForward         []Forward
	RemoteForward        []Forward
	IdentityFile         []string
	CanonicalDomains     []string
	CertificateFile      []string
	GlobalKnownHostsFile []string
	UserKnownHostsFile   []string
	RevokedHostKeys      []string
	SendEnv              []string
	SetEnv               []string // NAME=VALUE
	LogVerbose           []string
	ChannelTimeout       []ChannelTimeout
	PermitRemoteOpen     []string // nil: any; "none"

	AddKeysToAgent              AddKeys
	ForwardAgent                ForwardAgent
	ConnectTimeout              time.Duration // 0: the system's
	TunnelDevice                TunnelDevice
	CanonicalizePermittedCNAMEs []CNAMERule
	ControlPersist              ControlPersist
	EscapeChar                  EscapeChar
	IPQoS                       IPQoS
	RekeyLimit                  RekeyLimit
	StreamLocalBindMask         uint32
	SyslogFacility              Facility
	ProxyCommand                string // "" and "none": none
	ProxyJump                   string // USER@HOST:PORT,…; "" and "none": none

	set  keywordSet
	ctx  *ClientContext
	lits literals

	globalKnownHosts []string // GlobalKnownHostsFile as given, which -G shows
}

// literals are values given on the command line that are not expanded.
type literals struct{ user bool }

// keywordSet has a bit for each row of the table.
type keywordSet [4]uint64

func (s *keywordSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *keywordSet) add(i int)      { s[i>>6] |= 1 << (i & 63) }

// clientRows is ssh_config(5), in the order in which `ssh -G` prints.
var clientRows = [...]row[Client]{
	{"User", Text[Client]{get: func(o *Client) *string { return &o.User }}, 0, "login name on the other side"},
	{"Hostname", Text[Client]{get: func(o *Client) *string { return &o.Hostname }}, 0, "real name or address of the host; %h is the name typed"},
	{"Port", portKind{}, 0, "port to connect to"},
	{"AddressFamily", Enum[Client, AddressFamily]{FamilyAny, addressFamilies, func(o *Client) *AddressFamily { return &o.AddressFamily }}, 0, "address family to connect with"},
	{"BatchMode", Flag[Client]{false, func(o *Client) *bool { return &o.BatchMode }}, 0, "never ask the user anything"},
	{"CanonicalizeFallbackLocal", Flag[Client]{true, func(o *Client) *bool { return &o.CanonicalizeFallbackLocal }}, 0, "names that were not found in CanonicalDomains go to the system resolver"},
	{"CanonicalizeHostname", Enum[Client, Canonicalize]{CanonicalizeNo, canonicalizes, func(o *Client) *Canonicalize { return &o.CanonicalizeHostname }}, 0, "rewrite the host to its full name and read the configuration again"},
	{"CheckHostIP", Flag[Client]{false, func(o *Client) *bool { return &o.CheckHostIP }}, 0, "also look the address up in known_hosts"},
	{"Compression", Enum[Client, bool]{false, plainFlags, func(o *Client) *bool { return &o.Compression }}, 0, "compress"},
	{"ControlMaster", Enum[Client, ControlMaster]{MasterNo, controlMasters, func(o *Client) *ControlMaster { return &o.ControlMaster }}, 0, "share one connection between several sessions"},
	{"EnableSSHKeysign", Flag[Client]{false, func(o *Client) *bool { return &o.EnableSSHKeysign }}, 0, "allow the helper of host-based authentication; counts in the system file only"},
	{"ClearAllForwardings", Flag[Client]{false, func(o *Client) *bool { return &o.ClearAllForwardings }}, 0, "drop all configured forwards"},
	{"ExitOnForwardFailure", Flag[Client]{false, func(o *Client) *bool { return &o.ExitOnForwardFailure }}, 0, "end when a forward cannot be set up"},
	{"FingerprintHash", fingerprintKind[Client]{func(o *Client) *FingerprintHash { return &o.FingerprintHash }}, 0, "hash in which fingerprints are shown"},
	{"ForwardX11", Flag[Client]{false, func(o *Client) *bool { return &o.ForwardX11 }}, 0, "forward X11"},
	{"ForwardX11Trusted", Flag[Client]{false, func(o *Client) *bool { return &o.ForwardX11Trusted }}, 0, "give remote X11 clients full access to the display"},
	{"GatewayPorts", Flag[Client]{false, func(o *Client) *bool { return &o.GatewayPorts }}, 0, "local forwards listen on all addresses"},
	{"GSSAPIAuthentication", Flag[Client]{false, func(o *Client) *bool { return &o.GSSAPIAuthentication }}, hidden, "authenticate with Kerberos"},
	{"GSSAPIDelegateCredentials", Flag[Client]{false, func(o *Client) *bool { return &o.GSSAPIDelegateCredentials }}, hidden, "hand Kerberos credentials over"},
	{"HashKnownHosts", Flag[Client]{false, func(o *Client) *bool { return &o.HashKnownHosts }}, 0, "write names to known_hosts as hashes"},
	{"HostbasedAuthentication", Flag[Client]{false, func(o *Client) *bool { return &o.HostbasedAuthentication }}, 0, "host-based authentication"},
	{"IdentitiesOnly", Flag[Client]{false, func(o *Client) *bool { return &o.IdentitiesOnly }}, 0, "use only the configured identities, from the agent too"},
	{"KbdInteractiveAuthentication", Flag[Client]{true, func(o *Client) *bool { return &o.KbdInteractiveAuthentication }}, 0, "keyboard-interactive authentication"},
	{"NoHostAuthenticationForLocalhost", Flag[Client]{false, func(o *Client) *bool { return &o.NoHostAuthenticationForLocalhost }}, 0, "do not check the host keys of loopback addresses"},
	{"PasswordAuthentication", Flag[Client]{true, func(o *Client) *bool { return &o.PasswordAuthentication }}, 0, "password authentication"},
	{"PermitLocalCommand", Flag[Client]{false, func(o *Client) *bool { return &o.PermitLocalCommand }}, 0, "allow LocalCommand and the escape ~C !"},
	{"ProxyUseFdpass", Flag[Client]{false, func(o *Client) *bool { return &o.ProxyUseFdpass }}, 0, "ProxyCommand hands over a connected socket"},
	{"PubkeyAuthentication", Enum[Client, PubkeyAuthentication]{PubkeyYes, pubkeyAuthentications, func(o *Client) *PubkeyAuthentication { return &o.PubkeyAuthentication }}, 0, "public key authentication"},
	{"RequestTTY", Enum[Client, RequestTTY]{TTYAuto, requestTTYs, func(o *Client) *RequestTTY { return &o.RequestTTY }}, 0, "ask for a terminal"},
	{"SessionType", Enum[Client, SessionType]{SessionDefault, sessionTypes, func(o *Client) *SessionType { return &o.SessionType }}, 0, "run a shell or command, nothing, or a subsystem"},
	{"StdinNull", Flag[Client]{false, func(o *Client) *bool { return &o.StdinNull }}, 0, "read nothing from standard input"},
	{"ForkAfterAuthentication", Flag[Client]{false, func(o *Client) *bool { return &o.ForkAfterAuthentication }}, 0, "go to the background before the command runs"},
	{"StreamLocalBindUnlink", Flag[Client]{false, func(o *Client) *bool { return &o.StreamLocalBindUnlink }}, 0, "remove an old socket before listening"},
	{"StrictHostKeyChecking", Enum[Client, StrictHostKeyChecking]{StrictAsk, stricts, func(o *Client) *StrictHostKeyChecking { return &o.StrictHostKeyChecking }}, 0, "what to do with unknown and changed host keys"},
	{"TCPKeepAlive", Flag[Client]{true, func(o *Client) *bool { return &o.TCPKeepAlive }}, 0, "TCP keepalive probes"},
	{"Tunnel", Enum[Client, Tunnel]{TunnelNo, clientTunnels, func(o *Client) *Tunnel { return &o.Tunnel }}, 0, "forward a tun device"},
	{"VerifyHostKeyDNS", Enum[Client, Ask]{AskNo, asks, func(o *Client) *Ask { return &o.VerifyHostKeyDNS }}, 0, "check host keys against SSHFP records"},
	{"VisualHostKey", Flag[Client]{false, func(o *Client) *bool { return &o.VisualHostKey }}, 0, "show host keys as pictures"},
	{"UpdateHostKeys", updateKind{Enum[Client, Ask]{AskYes, asks, func(o *Client) *Ask { return &o.UpdateHostKeys }}}, 0, "learn the other keys of a host after login"},
	{"EnableEscapeCommandline", Flag[Client]{false, func(o *Client) *bool { return &o.EnableEscapeCommandline }}, 0, "the escape ~C"},
	{"WarnWeakCrypto", Enum[Client, WarnWeakCrypto]{WarnYes, warnWeakCryptos, func(o *Client) *WarnWeakCrypto { return &o.WarnWeakCrypto }}, 0, "warn when the key exchange is not post-quantum"},

	{"CanonicalizeMaxDots", Number[Client]{1, func(o *Client) *int { return &o.CanonicalizeMaxDots }}, 0, "names with more dots are not canonicalised"},
	{"ConnectionAttempts", Number[Client]{1, func(o *Client) *int { return &o.ConnectionAttempts }}, 0, "tries to connect, one a second"},
	{"ForwardX11Timeout", Duration[Client]{20 * time.Minute, false, func(o *Client) *time.Duration { return &o.ForwardX11Timeout }}, 0, "life of untrusted X11 access; 0 has no end"},
	{"NumberOfPasswordPrompts", Number[Client]{3, func(o *Client) *int { return &o.NumberOfPasswordPrompts }}, 0, "times to ask for a password"},
	{"ServerAliveCountMax", Number[Client]{3, func(o *Client) *int { return &o.ServerAliveCountMax }}, 0, "unanswered probes before the connection is given up"},
	{"ServerAliveInterval", Duration[Client]{0, false, func(o *Client) *time.Duration { return &o.ServerAliveInterval }}, 0, "silence after which the server is probed; 0 never"},
	{"RequiredRSASize", Number[Client]{1024, func(o *Client) *int { return &o.RequiredRSASize }}, 0, "smallest RSA key accepted, bits"},
	{"ObscureKeystrokeTiming", keystrokeKind{}, 0, "hide the rhythm of typing"},

	{"BindAddress", Text[Client]{get: func(o *Client) *string { return &o.BindAddress }}, 0, "local address to connect from"},
	{"BindInterface", Text[Client]{get: func(o *Client) *string { return &o.BindInterface }}, 0, "local interface to connect from"},
	{"Ciphers", Names[Client]{func(a *Algorithms) *NameList { return &a.Ciphers }, false, badCipher, func(o *Client) *[]string { return &o.Ciphers }, ""}, 0, "ciphers, best first"},
	{"ControlPath", Text[Client]{clear: true, get: func(o *Client) *string { return &o.ControlPath }}, 0, "socket for connection sharing"},
	{"HostKeyAlgorithms", Names[Client]{func(a *Algorithms) *NameList { return &a.HostKeyAlgorithms }, true, badKeyTypes, func(o *Client) *[]string { return &o.HostKeyAlgorithms }, ""}, 0, "host key signature algorithms, best first"},
	{"HostKeyAlias", Text[Client]{get: func(o *Client) *string { return &o.HostKeyAlias }}, 0, "name under which the host key is looked up"},
	{"HostbasedAcceptedAlgorithms", Names[Client]{func(a *Algorithms) *NameList { return &a.HostbasedAcceptedAlgorithms }, true, badKeyTypes, func(o *Client) *[]string { return &o.HostbasedAcceptedAlgorithms }, ""}, 0, "signature algorithms for host-based authentication"},
	{"IdentityAgent", agentKind{}, 0, "agent socket"},
	{"IgnoreUnknown", Text[Client]{get: func(o *Client) *string { return &o.IgnoreUnknown }}, 0, "pattern-list of unknown keywords to pass over"},
	{"KbdInteractiveDevices", Text[Client]{get: func(o *Client) *string { return &o.KbdInteractiveDevices }}, 0, "devices to name in keyboard-interactive authentication"},
	{"KexAlgorithms", Names[Client]{func(a *Algorithms) *NameList { return &a.KexAlgorithms }, false, badKex, func(o *Client) *[]string { return &o.KexAlgorithms }, unsupportedKex}, 0, "key exchange methods, best first"},
	{"CASignatureAlgorithms", Names[Client]{func(a *Algorithms) *NameList { return &a.CASignatureAlgorithms }, true, badKeyTypes, func(o *Client) *[]string { return &o.CASignatureAlgorithms }, ""}, 0, "algorithms accepted in the signatures of certificate authorities"},
	{"LocalCommand", Text[Client]{form: textRest, clear: true, get: func(o *Client) *string { return &o.LocalCommand }}, 0, "command to run here after login"},
	{"RemoteCommand", Text[Client]{form: textRest, clear: true, get: func(o *Client) *string { return &o.RemoteCommand }}, 0, "command to run on the other side"},
	{"LogLevel", levelKind[Client]{func(o *Client) *LogLevel { return &o.LogLevel }}, 0, "verbosity"},
	{"MACs", Names[Client]{func(a *Algorithms) *NameList { return &a.MACs }, false, badMAC, func(o *Client) *[]string { return &o.MACs }, ""}, 0, "message authentication codes, best first"},
	{"PKCS11Provider", Text[Client]{clear: true, get: func(o *Client) *string { return &o.PKCS11Provider }}, 0, "PKCS#11 library"},
	{"SecurityKeyProvider", Text[Client]{clear: true, def: "internal", get: func(o *Client) *string { return &o.SecurityKeyProvider }}, 0, "FIDO library"},
	{"PreferredAuthentications", Text[Client]{get: func(o *Client) *string { return &o.PreferredAuthentications }}, 0, "authentication methods in order"},
	{"PubkeyAcceptedAlgorithms", Names[Client]{func(a *Algorithms) *NameList { return &a.PubkeyAcceptedAlgorithms }, true, badKeyTypes, func(o *Client) *[]string { return &o.PubkeyAcceptedAlgorithms }, ""}, 0, "signature algorithms for public key authentication"},
	{"XAuthLocation", Text[Client]{def: "/usr/bin/xauth", get: func(o *Client) *string { return &o.XAuthLocation }}, 0, "the xauth program"},
	{"KnownHostsCommand", Text[Client]{form: textRest, clear: true, get: func(o *Client) *string { return &o.KnownHostsCommand }}, 0, "command that prints further known host keys"},
	{"Tag", Text[Client]{get: func(o *Client) *string { return &o.Tag }}, 0, "name for Match tagged"},
	{"VersionAddendum", addendumKind[Client]{false, func(o *Client) *string { return &o.VersionAddendum }}, 0, "text behind the identification"},
	{"RefuseConnection", refuseKind{}, hidden, "end at once with this message"},

	{"DynamicForward", forwardKind{forwardDynamic}, appends, "local port that serves SOCKS"},
	{"LocalForward", forwardKind{forwardLocal}, appends, "local port or socket forwarded to the other side"},
	{"RemoteForward", forwardKind{forwardRemote}, appends, "remote port or socket forwarded to this side"},
	{"IdentityFile", fileKind{"identity", func(o *Client) *[]string { return &o.IdentityFile }}, appends, "private key file"},
	{"CanonicalDomains", Words[Client]{empty: "none", max: maxCanonicalDomains, none: true, check: checkDomain, get: func(o *Client) *[]string { return &o.CanonicalDomains }}, 0, "domains to look host names up in"},
	{"CertificateFile", fileKind{"certificate", func(o *Client) *[]string { return &o.CertificateFile }}, appends, "certificate file of the user"},
	{"GlobalKnownHostsFile", Words[Client]{def: globalKnownHosts, max: maxKnownHostsFiles, none: true, check: notEmpty, get: func(o *Client) *[]string { return &o.GlobalKnownHostsFile }}, 0, "known_hosts files of the system"},
	{"UserKnownHostsFile", Words[Client]{def: userKnownHosts, max: maxKnownHostsFiles, none: true, check: notEmpty, get: func(o *Client) *[]string { return &o.UserKnownHostsFile }}, 0, "known_hosts files of the user"},
	{"RevokedHostKeys", Words[Client]{empty: "none", max: maxKnownHostsFiles, none: true, check: notEmpty, get: func(o *Client) *[]string { return &o.RevokedHostKeys }}, 0, "files of host keys that are refused"},
	{"SendEnv", sendEnvKind{}, appends, "patterns of variables to send"},
	{"SetEnv", setEnvKind[Client]{func(o *Client) *[]string { return &o.SetEnv }}, 0, "variables to set on the other side"},
	{"LogVerbose", logVerboseKind[Client]{func(o *Client) *[]string { return &o.LogVerbose }}, 0, "places in the program that log in full"},
	{"ChannelTimeout", timeoutsKind[Client]{func(o *Client) *[]ChannelTimeout { return &o.ChannelTimeout }}, 0, "close idle channels"},
	{"PermitRemoteOpen", permitKind[Client]{get: func(o *Client) *[]string { return &o.PermitRemoteOpen }}, 0, "places that remote SOCKS may reach"},

	{"AddKeysToAgent", addKeysKind{}, 0, "add keys to the agent when they are used"},
	{"ForwardAgent", forwardAgentKind{}, 0, "forward the agent"},
	{"ConnectTimeout", connectTimeoutKind{}, 0, "limit for connecting and the key exchange"},
	{"TunnelDevice", tunnelDeviceKind{}, 0, "tun devices on both sides"},
	{"CanonicalizePermittedCNAMEs", cnamesKind{}, 0, "aliases that may be followed while canonicalising"},
	{"ControlPersist", controlPersistKind{}, 0, "keep the shared connection open when idle"},
	{"EscapeChar", escapeKind{}, 0, "escape character of interactive sessions"},
	{"IPQoS", qosKind[Client]{func(o *Client) *IPQoS { return &o.IPQoS }}, 0, "DSCP for interactive and for bulk traffic"},
	{"RekeyLimit", rekeyKind[Client]{func(o *Client) *RekeyLimit { return &o.RekeyLimit }}, 0, "bytes and time after which keys are renewed"},
	{"StreamLocalBindMask", Octal[Client]{0o177, func(o *Client) *uint32 { return &o.StreamLocalBindMask }}, lastWins | anyBlock, "umask for forwarded sockets"},
	{"SyslogFacility", facilityKind[Client]{FacilityUser, func(o *Client) *Facility { return &o.SyslogFacility }}, anyBlock, "syslog facility for -y"},
	{"ProxyCommand", proxyCommandKind{}, 0, "command whose input and output are the connection"},
	{"ProxyJump", proxyJumpKind{}, 0, "hosts to go through"},
}

// Bounds of lists, as in OpenSSH.
const (
	maxIdentityFiles    = 100
	maxKnownHostsFiles  = 32
	maxCanonicalDomains = 32
	maxPermittedCNAMEs  = 32
)

var globalKnownHosts = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
var userKnownHosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
var defaultIdentities = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk", "~/.ssh/id_mldsa44_ed25519"}

// clientOld are names that only live on.
var clientOld = [...]oldName{
	{"ChallengeResponseAuthentication", "KbdInteractiveAuthentication", alias, true},
	{"SKeyAuthentication", "KbdInteractiveAuthentication", alias, true},
	{"TISAuthentication", "KbdInteractiveAuthentication", alias, true},
	{"DSAAuthentication", "PubkeyAuthentication", alias, true},
	{"IdentityFile2", "IdentityFile", alias, true},
	{"KeepAlive", "TCPKeepAlive", alias, true},
	{"HostbasedKeyTypes", "HostbasedAcceptedAlgorithms", alias, true},
	{"PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms", alias, true},
	{"SmartcardDevice", "PKCS11Provider", alias, true},
	{"Protocol", "", silent, true},
	{"Cipher", "", deprecated, true},
	{"FallBackToRsh", "", deprecated, true},
	{"GlobalKnownHostsFile2", "", deprecated, true},
	{"RhostsAuthentication", "", deprecated, true},
	{"UserKnownHostsFile2", "", deprecated, true},
	{"UseRoaming", "", deprecated, true},
	{"UseRsh", "", deprecated, true},
	{"UsePrivilegedPort", "", deprecated, true},
	{"AFSTokenPassing", "", unsupported, true},
	{"KerberosAuthentication", "", unsupported, true},
	{"KerberosTgtPassing", "", unsupported, true},
	{"RSAAuthentication", "", unsupported, true},
	{"RhostsRSAAuthentication", "", unsupported, true},
	{"CompressionLevel", "", unsupported, true},
	{"GSSAPIKeyExchange", "", unsupported, true}, // from here: words that distributions add
	{"GSSAPITrustDns", "", unsupported, true},
	{"GSSAPIRenewalForcesRekey", "", unsupported, true},
	{"GSSAPIClientIdentity", "", unsupported, true},
	{"GSSAPIServerIdentity", "", unsupported, true},
	{"GSSAPIKexAlgorithms", "", unsupported, true},
}

// An oldName is a keyword of former times, or of builds with other features.
type oldName struct {
	name    string
	is      string // the keyword an alias stands for
	how     oldKind
	inMatch bool // server: may stand in a Match block
}

type oldKind uint8

const (
	alias       oldKind = iota
	silent              // ignored
	deprecated          // ignored, with a remark
	unsupported         // ignored, with an error that does not count
)
