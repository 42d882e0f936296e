package manual

// An effect is where the effect of a keyword is tested: a test's name behind
// its package, and behind a slash the case or the script of its own.
type effect struct{ keyword, test string }

const (
	table   = "internal/program/ssh:TestKeyword/"
	scripts = "internal/program/ssh:TestScripts/"
)

// clientEffects and clientNotYet have every keyword of ssh_config(5) together.
// A keyword of the table test needs no line.
var clientEffects = [...]effect{
	{"CanonicalizeHostname", "sshconfig:TestCanonicalize"}, {"CanonicalizeFallbackLocal", "sshconfig:TestCanonicalize"}, {"CanonicalDomains", "sshconfig:TestCanonicalize"},
	{"CanonicalizeMaxDots", "sshconfig:TestCanonicalize"}, {"CanonicalizePermittedCNAMEs", "sshconfig:TestCanonicalize"},
	{"CheckHostIP", "internal/client:TestHostKeys"}, {"StrictHostKeyChecking", "internal/client:TestHostKeys"}, {"HostKeyAlias", "internal/client:TestHostKeys"},
	{"Compression", "test/interop:TestCompression"}, {"GatewayPorts", "internal/forward:TestGLB05_Rules"}, {"PermitRemoteOpen", "internal/forward:TestGLB05_Rules"},
	{"HashKnownHosts", scripts + "hostkey"}, {"NoHostAuthenticationForLocalhost", scripts + "hostkey"},
	{"HostbasedAuthentication", "internal/client:TestKeysign"}, {"HostbasedAcceptedAlgorithms", "internal/client:TestKeysign"},
	{"IdentitiesOnly", "internal/client:TestIdentityOrder"}, {"CertificateFile", "internal/client:TestIdentityOrder"},
	{"KbdInteractiveAuthentication", scripts + "auth"}, {"PasswordAuthentication", scripts + "auth"}, {"NumberOfPasswordPrompts", scripts + "auth"}, {"IdentityAgent", scripts + "auth"},
	{"ForkAfterAuthentication", "internal/program/ssh:TestBackgroundPrompt"}, {"EnableEscapeCommandline", "internal/program/ssh:TestCommandLine"}, {"EscapeChar", "internal/program/ssh:TestOtherEscapeCharacter"},
	{"VerifyHostKeyDNS", "internal/client:TestVerifyHostKeyDNS"}, {"VisualHostKey", "internal/client:TestVisualHostKey"}, {"UpdateHostKeys", "internal/client:TestUpdateHostKeys"},
	{"KnownHostsCommand", "internal/client:TestKnownHostsCommand"}, {"RevokedHostKeys", "internal/client:TestRevokedHostKeys"}, {"AddKeysToAgent", "internal/client:TestAddKeysToAgent"},
	{"BindAddress", "internal/client:TestDial"}, {"BindInterface", "internal/client:TestDialErrors"}, {"ConnectTimeout", "internal/program/ssh:TestServersThatFail"},
	{"CASignatureAlgorithms", "test/interop:TestCertificates"}, {"LogVerbose", "internal/client:TestLogVerbose"}, {"SyslogFacility", "internal/client:TestSyslog"},
	{"ServerAliveInterval", "ssh:TestGLB01_Keepalives"}, {"ServerAliveCountMax", "ssh:TestGLB01_Keepalives"}, {"ProxyJump", "test/rows:TestI02_JumpHosts"}, {"ProxyUseFdpass", "internal/client:TestPassedSocket"},
}

// clientNotYet are keywords whose effect no test shows. The list may only
// become shorter.
var clientNotYet = [...]string{
	"ControlMaster", "ControlPath", "ControlPersist", // connection sharing
	"EnableSSHKeysign",                                                                                                // of the helper that signs
	"ForwardAgent", "ForwardX11", "ForwardX11Trusted", "ForwardX11Timeout", "XAuthLocation", "Tunnel", "TunnelDevice", // forwards of other kinds
	"StreamLocalBindMask", "StreamLocalBindUnlink",
	"GSSAPIDelegateCredentials", "PKCS11Provider", "SecurityKeyProvider", // what other programs do
	"KbdInteractiveDevices", "IPQoS", "TCPKeepAlive", "ObscureKeystrokeTiming",
}

// serverEffects and serverNotYet are the same for sshd_config(5).
var serverEffects = [...]effect{
	{"Match", "internal/program/sshd:TestWho"},
	{"Port", "internal/program/sshd:TestScripts/daemon"},
	{"ListenAddress", "internal/program/sshd:TestScripts/daemon"},
	{"UsePAM", "internal/sshd/auth:TestHST10_PAM"},
	{"LoginGraceTime", "internal/program/sshd:TestGraceTime"},
	{"MaxAuthTries", "internal/program/sshd:TestTries"},
	{"MaxSessions", "internal/program/sshd:TestSessionsLimit"},
	{"PermitRootLogin", "internal/program/sshd:TestRoot"},
	{"PubkeyAuthentication", "internal/program/sshd:TestWho"},
	{"PrintMotd", "internal/program/sshd:TestTerminal"},
	{"PrintLastLog", "internal/sshd/login:TestMessages"},
	{"PermitTTY", "internal/program/sshd:TestRestrictions"},
	{"PermitUserRC", "internal/sshd/login:TestUserRC"},
	{"StrictModes", "internal/program/sshd:TestOtherAccount"},
	{"Compression", "test/interop:TestCompression"},
	{"ExposeAuthInfo", "internal/program/sshd:TestBannerAndInfo"},
	{"RefuseConnection", "internal/program/sshd:TestWho"},
	{"PidFile", "internal/program/sshd:TestScripts/foreground"},
	{"Banner", "internal/program/sshd:TestBannerAndInfo"},
	{"ForceCommand", "internal/program/sshd:TestForcedCommands"},
	{"TrustedUserCAKeys", "internal/program/sshd:TestCertificates"},
	{"AuthorizedPrincipalsFile", "internal/program/sshd:TestCertificates"},
	{"AuthorizedKeysCommand", "internal/program/sshd:TestKeyCommand"},
	{"AuthorizedKeysCommandUser", "internal/program/sshd:TestKeyCommand"},
	{"AuthorizedPrincipalsCommand", "internal/program/sshd:TestKeyCommand"},
	{"AuthorizedPrincipalsCommandUser", "internal/program/sshd:TestKeyCommand"},
	{"HostKeyAgent", "internal/program/sshd:TestScripts/flags"},
	{"KexAlgorithms", "test/interop:TestWrongMemory"},
	{"CASignatureAlgorithms", "test/interop:TestCertificates"},
	{"LogLevel", "internal/program/sshd:TestScripts/flags"},
	{"AuthorizedKeysFile", "internal/program/sshd:TestWho"},
	{"RevokedKeys", "internal/program/sshd:TestRevokedKey"},
	{"HostKey", "internal/program/sshd:TestHostKeys"},
	{"HostCertificate", "internal/program/sshd:TestHostKeys"},
	{"AllowUsers", "internal/program/sshd:TestWho"},
	{"DenyUsers", "internal/program/sshd:TestWho"},
	{"AllowGroups", "internal/program/sshd:TestWho"},
	{"DenyGroups", "internal/program/sshd:TestWho"},
	{"AcceptEnv", "internal/program/sshd:TestEnvironment"},
	{"SetEnv", "internal/program/sshd:TestEnvironment"},
	{"AuthenticationMethods", "internal/program/sshd:TestTwoKeys"},
	{"LogVerbose", "internal/sshd/log:TestFile"},
	{"Subsystem", "internal/program/sshd:TestSubsystem"},
	{"MaxStartups", "internal/sshd/listener:TestRefusals"},
	{"PerSourceMaxStartups", "internal/penalty:TestGate"},
	{"PerSourceNetBlockSize", "internal/penalty:TestRotation"},
	{"PerSourcePenalties", "test/rows/server:TestGuessing"},
	{"PerSourcePenaltyExemptList", "test/rows/server:TestGuessing"},
	{"LobbyPerSource", "internal/sshd/lobby:TestShare"},
	{"LobbyMax", "internal/sshd/lobby:TestEviction"},
	{"PermitOpen", "internal/sshd/login/sockets:TestNotPermitted"},
	{"PermitListen", "internal/sshd/login/sockets:TestNotPermitted"},
	{"PermitUserEnvironment", "internal/program/sshd:TestEnvironment"},
	{"Include", "internal/program/sshd:TestKeyword/Include"},
	{"AddressFamily", "internal/program/sshd:TestKeyword/AddressFamily"},
	{"Ciphers", "internal/program/sshd:TestKeyword/Ciphers"},
	{"MACs", "internal/program/sshd:TestKeyword/MACs"},
	{"HostKeyAlgorithms", "internal/program/sshd:TestKeyword/HostKeyAlgorithms"},
	{"PubkeyAcceptedAlgorithms", "internal/program/sshd:TestKeyword/PubkeyAcceptedAlgorithms"},
	{"RequiredRSASize", "internal/program/sshd:TestKeyword/RequiredRSASize"},
	{"VersionAddendum", "internal/program/sshd:TestKeyword/VersionAddendum"},
	{"FingerprintHash", "internal/program/sshd:TestKeyword/FingerprintHash"},
	{"LogFormat", "internal/program/sshd:TestKeyword/LogFormat"},
	{"ChannelTimeout", "internal/program/sshd:TestKeyword/ChannelTimeout"},
	{"UnusedConnectionTimeout", "internal/program/sshd:TestKeyword/UnusedConnectionTimeout"},
	{"RekeyLimit", "internal/program/sshd:TestKeyword/RekeyLimit"},
	{"AllowTcpForwarding", "internal/program/sshd:TestKeyword/AllowTcpForwarding"},
	{"DisableForwarding", "internal/program/sshd:TestKeyword/DisableForwarding"},
	{"GatewayPorts", "internal/program/sshd:TestKeyword/GatewayPorts"},
	{"PasswordAuthentication", "internal/program/sshd:TestKeyword/PasswordAuthentication"},
	{"KbdInteractiveAuthentication", "internal/program/sshd:TestKeyword/KbdInteractiveAuthentication"},
	{"PermitEmptyPasswords", "internal/program/sshd:TestKeyword/PermitEmptyPasswords"},
	{"UseDNS", "internal/program/sshd:TestKeyword/UseDNS"},
	{"ModuliFile", "internal/program/sshd:TestKeyword/ModuliFile"},
	{"TCPKeepAlive", "internal/program/sshd:TestKeyword/TCPKeepAlive"},
	{"SshdSessionPath", "internal/program/sshd:TestKeyword/SshdSessionPath"},
	{"SshdAuthPath", "internal/program/sshd:TestKeyword/SshdAuthPath"},
	{"HostbasedAuthentication", "internal/program/sshd:TestKeyword/HostbasedAuthentication"},
	{"HostbasedAcceptedAlgorithms", "internal/program/sshd:TestKeyword/HostbasedAcceptedAlgorithms"},
	{"IgnoreRhosts", "internal/program/sshd:TestKeyword/IgnoreRhosts"},
	{"ClientAliveInterval", "internal/program/sshd:TestKeyword/ClientAliveInterval"},
	{"ClientAliveCountMax", "internal/program/sshd:TestKeyword/ClientAliveCountMax"},
	{"IPQoS", "internal/program/sshd:TestKeyword/IPQoS"},
	{"ChrootDirectory", "test/rows:TestB_ChrootedSFTP"},
	{"IgnoreUserKnownHosts", "internal/sshd/auth:TestHostbased"},
	{"HostbasedUsesNameFromPacketOnly", "internal/sshd/auth:TestHostbased"},
	{"SyslogFacility", "internal/sshd/log:TestSyslog"},
}

var serverNotYet = [...]string{
	"PAMServiceName", "X11DisplayOffset",
	"StreamLocalBindMask",
	"KerberosAuthentication", "KerberosOrLocalPasswd", "KerberosTicketCleanup", "KerberosGetAFSToken", "GSSAPIAuthentication",
	"GSSAPICleanupCredentials", "GSSAPIDelegateCredentials", "GSSAPIStrictAcceptorCheck", "X11Forwarding",
	"X11UseLocalhost",
	"AllowAgentForwarding", "AllowStreamLocalForwarding", "StreamLocalBindUnlink",
	"XAuthLocation", "SecurityKeyProvider",
	"RDomain",
	"PermitTunnel",
	"PubkeyAuthOptions",
	"NetworkRooms",
}

// The lists of what no test shows are at most this long.
const (
	clientNotYetMost = 20
	serverNotYetMost = 22
)
