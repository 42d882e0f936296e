package sshconfig

// The values of the keywords that take one word out of few. The first word of
// a value in each list is the one printed.

// AddressFamily is any, inet or inet6.
type AddressFamily uint8

// Address families.
const (
	FamilyAny AddressFamily = iota
	FamilyInet
	FamilyInet6
)

var addressFamilies = []choice[AddressFamily]{{"inet", FamilyInet}, {"inet6", FamilyInet6}, {"any", FamilyAny}}

// Canonicalize is the value of CanonicalizeHostname.
type Canonicalize uint8

// Values of CanonicalizeHostname.
const (
	CanonicalizeNo Canonicalize = iota
	CanonicalizeYes
	CanonicalizeAlways
)

var canonicalizes = []choice[Canonicalize]{{"true", CanonicalizeYes}, {"false", CanonicalizeNo}, {"yes", CanonicalizeYes}, {"no", CanonicalizeNo}, {"always", CanonicalizeAlways}}

// ControlMaster is the value of that keyword.
type ControlMaster uint8

// Values of ControlMaster.
const (
	MasterNo ControlMaster = iota
	MasterYes
	MasterAsk
	MasterAuto
	MasterAutoAsk
)

var controlMasters = []choice[ControlMaster]{{"true", MasterYes}, {"yes", MasterYes}, {"false", MasterNo}, {"no", MasterNo}, {"auto", MasterAuto}, {"ask", MasterAsk}, {"autoask", MasterAutoAsk}}

// plainFlags are yes and no, and nothing else.
var plainFlags = []choice[bool]{{"yes", true}, {"no", false}}

// FingerprintHash is the hash of displayed fingerprints.
type FingerprintHash uint8

// Hashes for fingerprints.
const (
	SHA256 FingerprintHash = iota
	MD5
	SHA1
	SHA384
	SHA512
)

var fingerprintHashes = []choice[FingerprintHash]{{"MD5", MD5}, {"SHA1", SHA1}, {"SHA256", SHA256}, {"SHA384", SHA384}, {"SHA512", SHA512}}

// PubkeyAuthentication is the value of the client's keyword.
type PubkeyAuthentication uint8

// Values of PubkeyAuthentication.
const (
	PubkeyNo PubkeyAuthentication = iota
	PubkeyYes
	PubkeyUnbound
	PubkeyHostBound
)

var pubkeyAuthentications = []choice[PubkeyAuthentication]{{"true", PubkeyYes}, {"false", PubkeyNo}, {"yes", PubkeyYes}, {"no", PubkeyNo}, {"unbound", PubkeyUnbound}, {"host-bound", PubkeyHostBound}}

// RequestTTY is the value of that keyword.
type RequestTTY uint8

// Values of RequestTTY.
const (
	TTYAuto RequestTTY = iota
	TTYNo
	TTYYes
	TTYForce
)

var requestTTYs = []choice[RequestTTY]{{"true", TTYYes}, {"false", TTYNo}, {"yes", TTYYes}, {"no", TTYNo}, {"force", TTYForce}, {"auto", TTYAuto}}

// SessionType is the value of that keyword.
type SessionType uint8

// Values of SessionType.
const (
	SessionDefault SessionType = iota
	SessionNone
	SessionSubsystem
)

var sessionTypes = []choice[SessionType]{{"none", SessionNone}, {"subsystem", SessionSubsystem}, {"default", SessionDefault}}

// StrictHostKeyChecking is the value of that keyword.
type StrictHostKeyChecking uint8

// Values of StrictHostKeyChecking.
const (
	StrictAsk StrictHostKeyChecking = iota
	StrictYes
	StrictNo // also "off"
	StrictAcceptNew
)

var stricts = []choice[StrictHostKeyChecking]{{"true", StrictYes}, {"false", StrictNo}, {"yes", StrictYes}, {"no", StrictNo}, {"ask", StrictAsk}, {"off", StrictNo}, {"accept-new", StrictAcceptNew}}

// Tunnel is the value of Tunnel and PermitTunnel.
type Tunnel uint8

// Values of Tunnel and PermitTunnel.
const (
	TunnelNo           Tunnel = iota
	TunnelPointToPoint        // layer 3; the client's "yes"
	TunnelEthernet            // layer 2
	TunnelBoth                // the server's "yes"
)

var clientTunnels = []choice[Tunnel]{{"ethernet", TunnelEthernet}, {"point-to-point", TunnelPointToPoint}, {"true", TunnelPointToPoint}, {"false", TunnelNo}, {"yes", TunnelPointToPoint}, {"no", TunnelNo}}

// Ask is no, yes or ask.
type Ask uint8

// Values of Ask.
const (
	AskNo Ask = iota
	AskYes
	AskAsk
)

var asks = []choice[Ask]{{"true", AskYes}, {"false", AskNo}, {"yes", AskYes}, {"no", AskNo}, {"ask", AskAsk}}

// WarnWeakCrypto is the value of that keyword.
type WarnWeakCrypto uint8

// Values of WarnWeakCrypto.
const (
	WarnNo WarnWeakCrypto = iota
	WarnYes
	WarnNoPQKex // everything but key exchange
)

var warnWeakCryptos = []choice[WarnWeakCrypto]{{"yes", WarnYes}, {"no", WarnNo}, {"no-pq-kex", WarnNoPQKex}, {"true", WarnYes}, {"false", WarnNo}}

// LogFormat is how a line of the server's log looks.
type LogFormat uint8

// Formats of the log.
const (
	LogText    LogFormat = iota // OpenSSH's lines
	LogJSON                     // an object of JSON to a line
	LogJournal                  // fields for systemd's journal; text where there is none
)

var logFormats = []choice[LogFormat]{{"text", LogText}, {"json", LogJSON}, {"journal", LogJournal}}

// LogLevel orders log messages; a message is shown when its level is not
// above the configured one.
type LogLevel int8

// Log levels.
const (
	Quiet LogLevel = iota
	Fatal
	Error
	Info
	Verbose
	Debug1
	Debug2
	Debug3
)

var logLevels = []choice[LogLevel]{{"SILENT", Quiet}, {"QUIET", Quiet}, {"FATAL", Fatal}, {"ERROR", Error}, {"INFO", Info}, {"VERBOSE", Verbose}, {"DEBUG", Debug1}, {"DEBUG1", Debug1}, {"DEBUG2", Debug2}, {"DEBUG3", Debug3}}

// String is the level's word in configuration files.
func (l LogLevel) String() string { return wordOf(logLevels, l) }

// ParseLogLevel finds the level that word means, in either case.
func ParseLogLevel(word string) (LogLevel, bool) { return valueOf(logLevels, word) }

// Facility is a syslog facility.
type Facility uint8

// Facilities, with syslog's numbers.
const (
	FacilityUser     Facility = 1
	FacilityDaemon   Facility = 3
	FacilityAuth     Facility = 4
	FacilityAuthPriv Facility = 10
	FacilityLocal0   Facility = 16
	FacilityLocal1   Facility = 17
	FacilityLocal2   Facility = 18
	FacilityLocal3   Facility = 19
	FacilityLocal4   Facility = 20
	FacilityLocal5   Facility = 21
	FacilityLocal6   Facility = 22
	FacilityLocal7   Facility = 23
)

var facilities = []choice[Facility]{{"DAEMON", FacilityDaemon}, {"USER", FacilityUser}, {"AUTH", FacilityAuth}, {"AUTHPRIV", FacilityAuthPriv}, {"LOCAL0", FacilityLocal0}, {"LOCAL1", FacilityLocal1}, {"LOCAL2", FacilityLocal2}, {"LOCAL3", FacilityLocal3}, {"LOCAL4", FacilityLocal4}, {"LOCAL5", FacilityLocal5}, {"LOCAL6", FacilityLocal6}, {"LOCAL7", FacilityLocal7}}

// String is the facility's word in configuration files.
func (f Facility) String() string { return wordOf(facilities, f) }

// ParseFacility finds the facility that word means, in either case.
func ParseFacility(word string) (Facility, bool) { return valueOf(facilities, word) }

// PermitRootLogin is the value of that keyword.
type PermitRootLogin uint8

// Values of PermitRootLogin.
const (
	RootNo PermitRootLogin = iota
	RootProhibitPassword
	RootForcedCommandsOnly
	RootYes
)

var permitRoots = []choice[PermitRootLogin]{{"prohibit-password", RootProhibitPassword}, {"without-password", RootProhibitPassword}, {"forced-commands-only", RootForcedCommandsOnly}, {"yes", RootYes}, {"no", RootNo}}

// IgnoreRhosts is the value of that keyword.
type IgnoreRhosts uint8

// Values of IgnoreRhosts.
const (
	RhostsIgnored IgnoreRhosts = iota
	RhostsUsed
	RhostsShostsOnly
)

var ignoreRhosts = []choice[IgnoreRhosts]{{"yes", RhostsIgnored}, {"no", RhostsUsed}, {"shosts-only", RhostsShostsOnly}}

// ServerGatewayPorts is the value of the server's GatewayPorts.
type ServerGatewayPorts uint8

// Values of the server's GatewayPorts.
const (
	GatewayNo ServerGatewayPorts = iota
	GatewayYes
	GatewayClientSpecified
)

var gatewayPorts = []choice[ServerGatewayPorts]{{"clientspecified", GatewayClientSpecified}, {"yes", GatewayYes}, {"no", GatewayNo}}

// AllowForwarding is the value of AllowTcpForwarding and
// AllowStreamLocalForwarding: a set of directions.
type AllowForwarding uint8

// Values of AllowForwarding.
const (
	ForwardNone   AllowForwarding = 0
	ForwardLocal  AllowForwarding = 1 // from the client's side (-L)
	ForwardRemote AllowForwarding = 2 // from the server's side (-R)
	ForwardAll    AllowForwarding = ForwardLocal | ForwardRemote
)

var allowForwardings = []choice[AllowForwarding]{{"yes", ForwardAll}, {"all", ForwardAll}, {"no", ForwardNone}, {"remote", ForwardRemote}, {"local", ForwardLocal}}

var serverCompressions = []choice[bool]{{"yes", true}, {"delayed", true}, {"no", false}}

var permitTunnels = []choice[Tunnel]{{"no", TunnelNo}, {"point-to-point", TunnelPointToPoint}, {"ethernet", TunnelEthernet}, {"yes", TunnelBoth}}
