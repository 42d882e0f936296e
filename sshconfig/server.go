package sshconfig

import "time"

// Server is the configuration of a server: every keyword of sshd_config(5),
// one field each, typed. Fields hold the default after [Server.Load];
// [Server.Match] gives the configuration of one connection.
type Server struct {
	Port          []int
	AddressFamily AddressFamily
	ListenAddress []ListenAddress // see Server.Listen

	UsePAM                          bool
	PAMServiceName                  string
	LoginGraceTime                  time.Duration // 0: no limit
	X11DisplayOffset                int
	MaxAuthTries                    int
	MaxSessions                     int
	ClientAliveInterval             time.Duration // 0: off
	ClientAliveCountMax             int           // 0: never disconnect
	RequiredRSASize                 int
	StreamLocalBindMask             uint32
	UnusedConnectionTimeout         time.Duration // 0: none
	PermitRootLogin                 PermitRootLogin
	IgnoreRhosts                    IgnoreRhosts
	IgnoreUserKnownHosts            bool
	HostbasedAuthentication         bool
	HostbasedUsesNameFromPacketOnly bool
	PubkeyAuthentication            bool
	KerberosAuthentication          bool
	KerberosOrLocalPasswd           bool
	KerberosTicketCleanup           bool
	KerberosGetAFSToken             bool
	GSSAPIAuthentication            bool
	GSSAPICleanupCredentials        bool
	GSSAPIDelegateCredentials       bool
	GSSAPIStrictAcceptorCheck       bool
	PasswordAuthentication          bool
	KbdInteractiveAuthentication    bool
	PrintMotd                       bool
	PrintLastLog                    bool
	X11Forwarding                   bool
	X11UseLocalhost                 bool
	PermitTTY                       bool
	PermitUserRC                    bool
	StrictModes                     bool
	TCPKeepAlive                    bool
	PermitEmptyPasswords            bool
	Compression                     bool // after authentication only
	GatewayPorts                    ServerGatewayPorts
	UseDNS                          bool
	AllowTcpForwarding              AllowForwarding
	AllowAgentForwarding            bool
	DisableForwarding               bool
	AllowStreamLocalForwarding      AllowForwarding
	StreamLocalBindUnlink           bool
	FingerprintHash                 FingerprintHash
	ExposeAuthInfo                  bool
	RefuseConnection                bool

	PidFile                         string // "none": none
	ModuliFile                      string
	XAuthLocation                   string // "none": none
	Ciphers                         []string
	MACs                            []string
	Banner                          string // "" and "none": none
	ForceCommand                    string // "": none
	ChrootDirectory                 string // "": none
	TrustedUserCAKeys               string // "": none
	SecurityKeyProvider             string
	AuthorizedPrincipalsFile        string // "": none
	VersionAddendum                 string // "": none
	AuthorizedKeysCommand           string // "": none
	AuthorizedKeysCommandUser       string // "": none given
	AuthorizedPrincipalsCommand     string // "": none
	AuthorizedPrincipalsCommandUser string // "": none given
	HostKeyAgent                    string // "": none
	KexAlgorithms                   []string
	CASignatureAlgorithms           []string
	HostbasedAcceptedAlgorithms     []string
	HostKeyAlgorithms               []string
	PubkeyAcceptedAlgorithms        []string
	RDomain                         string
	SshdSessionPath                 string
	SshdAuthPath                    string
	PerSourcePenaltyExemptList      string // for MatchAddress; "": none
	LogLevel                        LogLevel
	SyslogFacility                  Facility

	AuthorizedKeysFile    []string // "none" alone: none
	RevokedKeys           []string
	HostKey               []string
	HostCertificate       []string
	AllowUsers            []string // for MatchUser
	DenyUsers             []string
	AllowGroups           []string
	DenyGroups            []string
	AcceptEnv             []string
	SetEnv                []string // NAME=VALUE
	AuthenticationMethods []string // nil: any one; else alternatives, comma lists
	LogVerbose            []string
	ChannelTimeout        []ChannelTimeout
	Subsystem             []Subsystem

	MaxStartups           MaxStartups
	PerSourceMaxStartups  int // -1: none
	PerSourceNetBlockSize NetBlockSize
	PermitTunnel          Tunnel
	IPQoS                 IPQoS
	RekeyLimit            RekeyLimit
	PermitOpen            []string // nil: any; "none"
	PermitListen          []string // nil: any; "none"
	PermitUserEnvironment UserEnvironment
	PubkeyAuthOptions     PubkeyAuthOptions
	PerSourcePenalties    Penalties

	LobbyPerSource int          // strangers before key exchange, from one source
	LobbyMax       int          // and in all
	NetworkRooms   NetworkRooms // processes that speak the protocol
	LogFormat      LogFormat

	set        keywordSet
	ctx        *ServerContext
	portsFixed bool // by -p
	blocks     []matchBlock
	segments   []segment
}

// NetworkRooms is the value of that keyword.
type NetworkRooms struct {
	Shared bool // one room, or Count rooms, for all connections
	Count  int
}

// serverRows is sshd_config(5), in the order in which `sshd -T` prints.
var serverRows = [...]row[Server]{
	{"Port", portsKind{}, appends, "port to listen on"},
	{"AddressFamily", Enum[Server, AddressFamily]{FamilyAny, addressFamilies, func(o *Server) *AddressFamily { return &o.AddressFamily }}, 0, "address family to listen with"},
	{"ListenAddress", listenKind{}, appends, "address to listen on"},

	{"UsePAM", Flag[Server]{false, func(o *Server) *bool { return &o.UsePAM }}, 0, "authenticate, and open and close sessions, with PAM"},
	{"PAMServiceName", Text[Server]{def: "sshd", missing: "missing argument.", get: func(o *Server) *string { return &o.PAMServiceName }}, inMatch, "PAM's name for the service"},
	{"LoginGraceTime", Duration[Server]{120 * time.Second, false, func(o *Server) *time.Duration { return &o.LoginGraceTime }}, 0, "time to log in; 0 has no end"},
	{"X11DisplayOffset", Number[Server]{10, func(o *Server) *int { return &o.X11DisplayOffset }}, inMatch, "first display number for X11 forwarding"},
	{"MaxAuthTries", Number[Server]{6, func(o *Server) *int { return &o.MaxAuthTries }}, inMatch, "failed authentication attempts of a connection"},
	{"MaxSessions", Number[Server]{10, func(o *Server) *int { return &o.MaxSessions }}, inMatch, "sessions of a connection; 0 allows forwarding only"},
	{"ClientAliveInterval", Duration[Server]{0, false, func(o *Server) *time.Duration { return &o.ClientAliveInterval }}, inMatch, "silence after which the client is probed; 0 never"},
	{"ClientAliveCountMax", Number[Server]{3, func(o *Server) *int { return &o.ClientAliveCountMax }}, inMatch, "unanswered probes before the connection is given up; 0 never"},
	{"RequiredRSASize", Number[Server]{1024, func(o *Server) *int { return &o.RequiredRSASize }}, inMatch, "smallest RSA key accepted, bits"},
	{"StreamLocalBindMask", Octal[Server]{0o177, func(o *Server) *uint32 { return &o.StreamLocalBindMask }}, inMatch | lastWins, "umask for forwarded sockets"},
	{"UnusedConnectionTimeout", Duration[Server]{0, true, func(o *Server) *time.Duration { return &o.UnusedConnectionTimeout }}, inMatch, "close connections that have no channel"},

	{"PermitRootLogin", Enum[Server, PermitRootLogin]{RootProhibitPassword, permitRoots, func(o *Server) *PermitRootLogin { return &o.PermitRootLogin }}, inMatch, "whether and how root may log in"},
	{"IgnoreRhosts", Enum[Server, IgnoreRhosts]{RhostsIgnored, ignoreRhosts, func(o *Server) *IgnoreRhosts { return &o.IgnoreRhosts }}, inMatch, "ignore users' .rhosts and .shosts"},
	{"IgnoreUserKnownHosts", Flag[Server]{false, func(o *Server) *bool { return &o.IgnoreUserKnownHosts }}, 0, "ignore users' known_hosts in host-based authentication"},
	{"HostbasedAuthentication", Flag[Server]{false, func(o *Server) *bool { return &o.HostbasedAuthentication }}, inMatch, "host-based authentication"},
	{"HostbasedUsesNameFromPacketOnly", Flag[Server]{false, func(o *Server) *bool { return &o.HostbasedUsesNameFromPacketOnly }}, inMatch, "believe the client's own name in host-based authentication"},
	{"PubkeyAuthentication", Flag[Server]{true, func(o *Server) *bool { return &o.PubkeyAuthentication }}, inMatch, "public key authentication"},
	{"KerberosAuthentication", Flag[Server]{false, func(o *Server) *bool { return &o.KerberosAuthentication }}, inMatch | hidden, "check passwords with Kerberos"},
	{"KerberosOrLocalPasswd", Flag[Server]{true, func(o *Server) *bool { return &o.KerberosOrLocalPasswd }}, hidden, "when Kerberos fails, check the local password"},
	{"KerberosTicketCleanup", Flag[Server]{true, func(o *Server) *bool { return &o.KerberosTicketCleanup }}, hidden, "remove the ticket at logout"},
	{"KerberosGetAFSToken", Flag[Server]{false, func(o *Server) *bool { return &o.KerberosGetAFSToken }}, hidden, "get an AFS token"},
	{"GSSAPIAuthentication", Flag[Server]{false, func(o *Server) *bool { return &o.GSSAPIAuthentication }}, inMatch | hidden, "authenticate with Kerberos tickets"},
	{"GSSAPICleanupCredentials", Flag[Server]{true, func(o *Server) *bool { return &o.GSSAPICleanupCredentials }}, hidden, "remove credentials at logout"},
	{"GSSAPIDelegateCredentials", Flag[Server]{true, func(o *Server) *bool { return &o.GSSAPIDelegateCredentials }}, hidden, "take delegated credentials"},
	{"GSSAPIStrictAcceptorCheck", Flag[Server]{true, func(o *Server) *bool { return &o.GSSAPIStrictAcceptorCheck }}, hidden, "accept only the host's own service name"},
	{"PasswordAuthentication", Flag[Server]{true, func(o *Server) *bool { return &o.PasswordAuthentication }}, inMatch, "password authentication"},
	{"KbdInteractiveAuthentication", Flag[Server]{true, func(o *Server) *bool { return &o.KbdInteractiveAuthentication }}, inMatch, "keyboard-interactive authentication"},
	{"PrintMotd", Flag[Server]{true, func(o *Server) *bool { return &o.PrintMotd }}, 0, "show /etc/motd"},
	{"PrintLastLog", Flag[Server]{true, func(o *Server) *bool { return &o.PrintLastLog }}, 0, "show the last login"},
	{"X11Forwarding", Flag[Server]{false, func(o *Server) *bool { return &o.X11Forwarding }}, inMatch, "X11 forwarding"},
	{"X11UseLocalhost", Flag[Server]{true, func(o *Server) *bool { return &o.X11UseLocalhost }}, inMatch, "X11 forwarding listens on the loopback address"},
	{"PermitTTY", Flag[Server]{true, func(o *Server) *bool { return &o.PermitTTY }}, inMatch, "terminals"},
	{"PermitUserRC", Flag[Server]{true, func(o *Server) *bool { return &o.PermitUserRC }}, inMatch, "run ~/.ssh/rc"},
	{"StrictModes", Flag[Server]{true, func(o *Server) *bool { return &o.StrictModes }}, 0, "refuse files and directories that others may write"},
	{"TCPKeepAlive", Flag[Server]{true, func(o *Server) *bool { return &o.TCPKeepAlive }}, 0, "TCP keepalive probes"},
	{"PermitEmptyPasswords", Flag[Server]{false, func(o *Server) *bool { return &o.PermitEmptyPasswords }}, inMatch, "accounts with an empty password"},
	{"Compression", Enum[Server, bool]{true, serverCompressions, func(o *Server) *bool { return &o.Compression }}, 0, "compression after authentication"},
	{"GatewayPorts", Enum[Server, ServerGatewayPorts]{GatewayNo, gatewayPorts, func(o *Server) *ServerGatewayPorts { return &o.GatewayPorts }}, inMatch, "addresses remote forwards listen on"},
	{"UseDNS", Flag[Server]{false, func(o *Server) *bool { return &o.UseDNS }}, 0, "look client names up"},
	{"AllowTcpForwarding", Enum[Server, AllowForwarding]{ForwardAll, allowForwardings, func(o *Server) *AllowForwarding { return &o.AllowTcpForwarding }}, inMatch, "TCP forwarding"},
	{"AllowAgentForwarding", Flag[Server]{true, func(o *Server) *bool { return &o.AllowAgentForwarding }}, inMatch, "agent forwarding"},
	{"DisableForwarding", Flag[Server]{false, func(o *Server) *bool { return &o.DisableForwarding }}, inMatch, "no forwarding of any kind"},
	{"AllowStreamLocalForwarding", Enum[Server, AllowForwarding]{ForwardAll, allowForwardings, func(o *Server) *AllowForwarding { return &o.AllowStreamLocalForwarding }}, inMatch, "socket forwarding"},
	{"StreamLocalBindUnlink", Flag[Server]{false, func(o *Server) *bool { return &o.StreamLocalBindUnlink }}, inMatch, "remove an old socket before listening"},
	{"FingerprintHash", fingerprintKind[Server]{func(o *Server) *FingerprintHash { return &o.FingerprintHash }}, lastWins, "hash in which fingerprints are logged"},
	{"ExposeAuthInfo", Flag[Server]{false, func(o *Server) *bool { return &o.ExposeAuthInfo }}, inMatch, "tell the session how it was authenticated, in a file"},
	{"RefuseConnection", Flag[Server]{false, func(o *Server) *bool { return &o.RefuseConnection }}, inMatch, "drop the connection"},

	{"PidFile", Text[Server]{def: "/var/run/sshd.pid", form: textPath, showNone: true, get: func(o *Server) *string { return &o.PidFile }}, 0, "file for the process number"},
	{"ModuliFile", Text[Server]{def: "/etc/ssh/moduli", form: textPath, showNone: true, get: func(o *Server) *string { return &o.ModuliFile }}, 0, "groups for group exchange"},
	{"XAuthLocation", Text[Server]{def: "/usr/bin/xauth", form: textPath, showNone: true, get: func(o *Server) *string { return &o.XAuthLocation }}, 0, "the xauth program"},
	{"Ciphers", Names[Server]{func(a *Algorithms) *NameList { return &a.Ciphers }, false, badCipher, func(o *Server) *[]string { return &o.Ciphers }, ""}, anyBlock, "ciphers"},
	{"MACs", Names[Server]{func(a *Algorithms) *NameList { return &a.MACs }, false, badMAC, func(o *Server) *[]string { return &o.MACs }, ""}, anyBlock, "message authentication codes"},
	{"Banner", Text[Server]{form: textPath, showNone: true, get: func(o *Server) *string { return &o.Banner }}, inMatch, "file shown before login"},
	{"ForceCommand", Text[Server]{form: textRest, showNone: true, clear: true, get: func(o *Server) *string { return &o.ForceCommand }}, inMatch, "command run in place of the client's"},
	{"ChrootDirectory", Text[Server]{showNone: true, clear: true, get: func(o *Server) *string { return &o.ChrootDirectory }}, inMatch, "directory sessions are confined to"},
	{"TrustedUserCAKeys", Text[Server]{form: textPath, showNone: true, clear: true, get: func(o *Server) *string { return &o.TrustedUserCAKeys }}, inMatch, "keys of authorities for user certificates"},
	{"SecurityKeyProvider", Text[Server]{def: "internal", form: textProvider, showNone: true, clear: true, get: func(o *Server) *string { return &o.SecurityKeyProvider }}, 0, "FIDO library"},
	{"AuthorizedPrincipalsFile", Text[Server]{form: textTilde, showNone: true, clear: true, get: func(o *Server) *string { return &o.AuthorizedPrincipalsFile }}, inMatch, "principals accepted in certificates"},
	{"VersionAddendum", addendumKind[Server]{true, func(o *Server) *string { return &o.VersionAddendum }}, 0, "text behind the identification"},
	{"AuthorizedKeysCommand", Text[Server]{form: textCommand, showNone: true, clear: true, get: func(o *Server) *string { return &o.AuthorizedKeysCommand }}, inMatch, "program that prints keys of a user"},
	{"AuthorizedKeysCommandUser", Text[Server]{showNone: true, clear: true, missing: "missing %s argument.", get: func(o *Server) *string { return &o.AuthorizedKeysCommandUser }}, inMatch, "account of AuthorizedKeysCommand"},
	{"AuthorizedPrincipalsCommand", Text[Server]{form: textCommand, showNone: true, clear: true, get: func(o *Server) *string { return &o.AuthorizedPrincipalsCommand }}, inMatch, "program that prints principals"},
	{"AuthorizedPrincipalsCommandUser", Text[Server]{showNone: true, clear: true, missing: "missing %s argument.", get: func(o *Server) *string { return &o.AuthorizedPrincipalsCommandUser }}, inMatch, "account of AuthorizedPrincipalsCommand"},
	{"HostKeyAgent", Text[Server]{form: textSocket, showNone: true, clear: true, missing: "missing socket name.", get: func(o *Server) *string { return &o.HostKeyAgent }}, 0, "agent that holds host keys"},
	{"KexAlgorithms", Names[Server]{func(a *Algorithms) *NameList { return &a.KexAlgorithms }, false, badKex, func(o *Server) *[]string { return &o.KexAlgorithms }, unsupportedKex}, anyBlock, "key exchange methods"},
	{"CASignatureAlgorithms", Names[Server]{func(a *Algorithms) *NameList { return &a.CASignatureAlgorithms }, true, badKeyTypes, func(o *Server) *[]string { return &o.CASignatureAlgorithms }, ""}, inMatch, "algorithms accepted in the signatures of certificate authorities"},
	{"HostbasedAcceptedAlgorithms", Names[Server]{func(a *Algorithms) *NameList { return &a.HostbasedAcceptedAlgorithms }, true, badKeyTypes, func(o *Server) *[]string { return &o.HostbasedAcceptedAlgorithms }, ""}, inMatch, "signature algorithms for host-based authentication"},
	{"HostKeyAlgorithms", Names[Server]{func(a *Algorithms) *NameList { return &a.HostKeyAlgorithms }, true, badKeyTypes, func(o *Server) *[]string { return &o.HostKeyAlgorithms }, ""}, 0, "host key signature algorithms"},
	{"PubkeyAcceptedAlgorithms", Names[Server]{func(a *Algorithms) *NameList { return &a.PubkeyAcceptedAlgorithms }, true, badKeyTypes, func(o *Server) *[]string { return &o.PubkeyAcceptedAlgorithms }, ""}, inMatch, "signature algorithms for public key authentication"},
	{"RDomain", rdomainKind{}, inMatch | hidden, "routing domain of sessions"},
	{"SshdSessionPath", Text[Server]{def: "/usr/libexec/sshd-session", form: textPath, showNone: true, get: func(o *Server) *string { return &o.SshdSessionPath }}, 0, "accepted, of no effect"},
	{"SshdAuthPath", Text[Server]{def: "/usr/libexec/sshd-auth", form: textPath, showNone: true, get: func(o *Server) *string { return &o.SshdAuthPath }}, 0, "accepted, of no effect"},
	{"PerSourcePenaltyExemptList", exemptKind{}, 0, "addresses that are never penalised"},

	{"LogLevel", levelKind[Server]{func(o *Server) *LogLevel { return &o.LogLevel }}, inMatch, "verbosity"},
	{"SyslogFacility", facilityKind[Server]{FacilityAuth, func(o *Server) *Facility { return &o.SyslogFacility }}, anyBlock, "syslog facility"},

	{"AuthorizedKeysFile", Words[Server]{def: authorizedKeysFiles, none: true, check: tildeWord, get: func(o *Server) *[]string { return &o.AuthorizedKeysFile }}, inMatch, "files of keys a user may log in with"},
	{"RevokedKeys", Words[Server]{none: true, check: tildeWord, get: func(o *Server) *[]string { return &o.RevokedKeys }}, inMatch, "files of user keys that are refused"},
	{"HostKey", keyFilesKind{true, func(o *Server) *[]string { return &o.HostKey }}, appends, "host key file"},
	{"HostCertificate", keyFilesKind{false, func(o *Server) *[]string { return &o.HostCertificate }}, appends, "certificate of a host key"},
	{"AllowUsers", Words[Server]{perLine: true, check: userPattern, get: func(o *Server) *[]string { return &o.AllowUsers }}, inMatch | appends, "users that may log in"},
	{"DenyUsers", Words[Server]{perLine: true, check: userPattern, get: func(o *Server) *[]string { return &o.DenyUsers }}, inMatch | appends, "users that may not log in"},
	{"AllowGroups", Words[Server]{perLine: true, check: groupPattern, get: func(o *Server) *[]string { return &o.AllowGroups }}, inMatch | appends, "groups whose members may log in"},
	{"DenyGroups", Words[Server]{perLine: true, check: groupPattern, get: func(o *Server) *[]string { return &o.DenyGroups }}, inMatch | appends, "groups whose members may not log in"},
	{"AcceptEnv", Words[Server]{perLine: true, check: envPattern, get: func(o *Server) *[]string { return &o.AcceptEnv }}, inMatch | appends, "variables taken from the client"},
	{"SetEnv", setEnvKind[Server]{func(o *Server) *[]string { return &o.SetEnv }}, inMatch, "variables set in sessions"},
	{"AuthenticationMethods", methodsKind{}, inMatch, "methods that must all succeed: alternatives of comma lists"},
	{"LogVerbose", logVerboseKind[Server]{func(o *Server) *[]string { return &o.LogVerbose }}, inMatch, "places in the program that log in full"},
	{"ChannelTimeout", timeoutsKind[Server]{func(o *Server) *[]ChannelTimeout { return &o.ChannelTimeout }}, inMatch, "close idle channels"},
	{"Subsystem", subsystemKind{}, inMatch | appends, "name and command of a subsystem"},

	{"MaxStartups", startupsKind{}, 0, "connections not yet logged in: START:RATE:FULL"},
	{"PerSourceMaxStartups", perSourceKind{}, 0, "connections not yet logged in from one source"},
	{"PerSourceNetBlockSize", netBlockKind{}, 0, "bits of an address that make a source"},
	{"PermitTunnel", permitTunnelKind{}, inMatch, "tun devices"},
	{"IPQoS", qosKind[Server]{func(o *Server) *IPQoS { return &o.IPQoS }}, inMatch, "DSCP for interactive and for bulk traffic"},
	{"RekeyLimit", rekeyKind[Server]{func(o *Server) *RekeyLimit { return &o.RekeyLimit }}, inMatch, "bytes and time after which keys are renewed"},
	{"PermitOpen", permitKind[Server]{false, func(o *Server) *[]string { return &o.PermitOpen }}, inMatch, "places local forwards may reach"},
	{"PermitListen", permitKind[Server]{true, func(o *Server) *[]string { return &o.PermitListen }}, inMatch, "addresses remote forwards may listen on"},
	{"PermitUserEnvironment", userEnvKind{}, 0, "take ~/.ssh/environment and environment= of keys"},
	{"PubkeyAuthOptions", pubkeyOptionsKind{}, inMatch, "what security keys must have checked"},
	{"PerSourcePenalties", penaltiesKind{}, 0, "time sources are refused for after misbehaviour"},

	{"LobbyPerSource", optionalKind{20, func(o *Server) *int { return &o.LobbyPerSource }}, 0, "connections before key exchange from one source"},
	{"LobbyMax", optionalKind{6000, func(o *Server) *int { return &o.LobbyMax }}, 0, "connections before key exchange in all"},
	{"NetworkRooms", roomsKind{}, 0, "processes that speak the protocol: one a connection, one for all, or a number"},
	{"LogFormat", logFormatKind{}, 0, "how a line of the log looks: text, an object of JSON, or fields of the journal"},
}

var authorizedKeysFiles = []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}
var defaultHostKeys = []string{"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_mldsa44_ed25519_key"}

const maxPorts = 256

// serverOld are names that only live on.
var serverOld = [...]oldName{
	{"ChallengeResponseAuthentication", "KbdInteractiveAuthentication", alias, true},
	{"SKeyAuthentication", "KbdInteractiveAuthentication", alias, true},
	{"DSAAuthentication", "PubkeyAuthentication", alias, false},
	{"HostDSAKey", "HostKey", alias, false},
	{"HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms", alias, true},
	{"PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms", alias, true},
	{"KeepAlive", "TCPKeepAlive", alias, false},
	{"Protocol", "", silent, false},
	{"ServerKeyBits", "", deprecated, false},
	{"KeyRegenerationInterval", "", deprecated, false},
	{"RhostsAuthentication", "", deprecated, false},
	{"RhostsRSAAuthentication", "", deprecated, true},
	{"RSAAuthentication", "", deprecated, true},
	{"CheckMail", "", deprecated, false},
	{"UseLogin", "", deprecated, false},
	{"VerifyReverseMapping", "", deprecated, false},
	{"ReverseMappingCheck", "", deprecated, false},
	{"AuthorizedKeysFile2", "", deprecated, true},
	{"UsePrivilegeSeparation", "", deprecated, false},
	{"KerberosTgtPassing", "", deprecated, false},
	{"AFSTokenPassing", "", deprecated, false},
	{"GSSAPIKeyExchange", "", unsupported, false}, // from here: words that distributions add
	{"GSSAPIStoreCredentialsOnRekey", "", unsupported, false},
	{"GSSAPIKexAlgorithms", "", unsupported, false},
	{"DebianBanner", "", silent, false},
}
