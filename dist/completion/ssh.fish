# Completion of ssh's command line. Made by `make gen`: do not edit.
function __nacre_ssh_hosts
	sh -c '_nacre_ssh_hosts() {
	{
		cat ~/.ssh/config ~/.ssh/config.d/* /etc/ssh/ssh_config /etc/ssh/ssh_config.d/* 2>/dev/null |
			awk '\''tolower($1) == "host" { for (i = 2; i <= NF; i++) if ($i !~ /[*?!"]/) print $i }'\''
		cat ~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts 2>/dev/null |
			awk '\''/^[^#@|]/ { n = split($1, h, ","); for (i = 1; i <= n; i++) { sub(/^\[/, "", h[i]); sub(/\]:.*/, "", h[i]); if (h[i] !~ /[*?!]/) print h[i] } }'\''
	} | sort -u
}
_nacre_ssh_hosts'
end
complete -c ssh -f -a '(__nacre_ssh_hosts)'
complete -c ssh -s 1 -d 'protocol 1, which is gone: an error'
complete -c ssh -s 2 -d 'protocol 2: accepted, the only one there is'
complete -c ssh -s 4 -d 'IPv4 only'
complete -c ssh -s 6 -d 'IPv6 only'
complete -c ssh -s A -d 'forward the agent'
complete -c ssh -s a -d 'do not forward the agent'
complete -c ssh -s C -d 'compress'
complete -c ssh -s f -d 'go to the background just before the command runs; implies -n'
complete -c ssh -s G -d 'print the configuration and exit'
complete -c ssh -s g -d 'others may use local forwards'
complete -c ssh -s K -d 'authenticate with Kerberos and hand credentials over'
complete -c ssh -s k -d 'do not hand Kerberos credentials over: they never are'
complete -c ssh -s M -d 'be a master that other sessions share; twice asks for each'
complete -c ssh -s N -d 'run no command: forwards only'
complete -c ssh -s n -d 'read nothing from standard input'
complete -c ssh -s q -d 'say nothing'
complete -c ssh -s s -d 'the command is the name of a subsystem'
complete -c ssh -s T -d 'no terminal'
complete -c ssh -s t -d 'a terminal; twice also where there is none on this side'
complete -c ssh -s V -d 'print the version and exit'
complete -c ssh -s v -d 'say what goes on, more with each of up to three'
complete -c ssh -s X -d 'forward X11'
complete -c ssh -s x -d 'do not forward X11'
complete -c ssh -s Y -d 'forward X11, trusted'
complete -c ssh -s y -d 'log to syslog'
complete -c ssh -s Z -d 'list the keys that would be tried and exit'
complete -c ssh -s B -d 'connect from this interface' -r -f
complete -c ssh -s b -d 'connect from this address' -r -f
complete -c ssh -s c -d 'ciphers, best first; + and ^ change the default' -r -f
complete -c ssh -s D -d 'SOCKS server on this side' -r -f
complete -c ssh -s E -d 'append what the program says to a file' -r -F
complete -c ssh -s e -d 'escape character, ^ and a letter, or none' -r -f
complete -c ssh -s F -d 'read this configuration only; none reads none' -r -F
complete -c ssh -s I -d 'library of a token' -r -F
complete -c ssh -s i -d 'private key file, or public for a key of the agent' -r -F
complete -c ssh -s J -d 'jump hosts, in order' -r -f -a '(__nacre_ssh_hosts)'
complete -c ssh -s L -d 'listen here, connect there' -r -f
complete -c ssh -s l -d 'user name on the other side' -r -f
complete -c ssh -s m -d 'message authentication codes, best first' -r -f
complete -c ssh -s O -d 'give an order to a master' -r -f
complete -c ssh -s o -d 'any keyword of the configuration' -r -f -a 'User= Hostname= Port= AddressFamily=inet AddressFamily=inet6 AddressFamily=any BatchMode=yes BatchMode=no CanonicalizeFallbackLocal=yes CanonicalizeFallbackLocal=no CanonicalizeHostname=true CanonicalizeHostname=false CanonicalizeHostname=yes CanonicalizeHostname=no CanonicalizeHostname=always CheckHostIP=yes CheckHostIP=no Compression=yes Compression=no ControlMaster=true ControlMaster=yes ControlMaster=false ControlMaster=no ControlMaster=auto ControlMaster=ask ControlMaster=autoask EnableSSHKeysign=yes EnableSSHKeysign=no ClearAllForwardings=yes ClearAllForwardings=no ExitOnForwardFailure=yes ExitOnForwardFailure=no FingerprintHash=md5 FingerprintHash=sha256 ForwardX11=yes ForwardX11=no ForwardX11Trusted=yes ForwardX11Trusted=no GatewayPorts=yes GatewayPorts=no GSSAPIAuthentication=yes GSSAPIAuthentication=no GSSAPIDelegateCredentials=yes GSSAPIDelegateCredentials=no HashKnownHosts=yes HashKnownHosts=no HostbasedAuthentication=yes HostbasedAuthentication=no IdentitiesOnly=yes IdentitiesOnly=no KbdInteractiveAuthentication=yes KbdInteractiveAuthentication=no NoHostAuthenticationForLocalhost=yes NoHostAuthenticationForLocalhost=no PasswordAuthentication=yes PasswordAuthentication=no PermitLocalCommand=yes PermitLocalCommand=no ProxyUseFdpass=yes ProxyUseFdpass=no PubkeyAuthentication=true PubkeyAuthentication=false PubkeyAuthentication=yes PubkeyAuthentication=no PubkeyAuthentication=unbound PubkeyAuthentication=host-bound RequestTTY=true RequestTTY=false RequestTTY=yes RequestTTY=no RequestTTY=force RequestTTY=auto SessionType= StdinNull=yes StdinNull=no ForkAfterAuthentication=yes ForkAfterAuthentication=no StreamLocalBindUnlink=yes StreamLocalBindUnlink=no StrictHostKeyChecking=true StrictHostKeyChecking=false StrictHostKeyChecking=yes StrictHostKeyChecking=no StrictHostKeyChecking=ask StrictHostKeyChecking=off StrictHostKeyChecking=accept-new TCPKeepAlive=yes TCPKeepAlive=no Tunnel=ethernet Tunnel=point-to-point Tunnel=true Tunnel=false Tunnel=yes Tunnel=no VerifyHostKeyDNS=true VerifyHostKeyDNS=false VerifyHostKeyDNS=yes VerifyHostKeyDNS=no VerifyHostKeyDNS=ask VisualHostKey=yes VisualHostKey=no UpdateHostKeys=yes UpdateHostKeys=no UpdateHostKeys=ask EnableEscapeCommandline=yes EnableEscapeCommandline=no WarnWeakCrypto=yes WarnWeakCrypto=no WarnWeakCrypto=no-pq-kex WarnWeakCrypto=true WarnWeakCrypto=false CanonicalizeMaxDots= ConnectionAttempts= ForwardX11Timeout= NumberOfPasswordPrompts= ServerAliveCountMax= ServerAliveInterval= RequiredRSASize= ObscureKeystrokeTiming= BindAddress= BindInterface= Ciphers= ControlPath= HostKeyAlgorithms= HostKeyAlias= HostbasedAcceptedAlgorithms= IdentityAgent= IgnoreUnknown= KbdInteractiveDevices= KexAlgorithms= CASignatureAlgorithms= LocalCommand= RemoteCommand= LogLevel=QUIET LogLevel=FATAL LogLevel=ERROR LogLevel=INFO LogLevel=VERBOSE LogLevel=DEBUG LogLevel=DEBUG1 LogLevel=DEBUG2 LogLevel=DEBUG3 MACs= PKCS11Provider= SecurityKeyProvider= PreferredAuthentications= PubkeyAcceptedAlgorithms= XAuthLocation= KnownHostsCommand= Tag= VersionAddendum= RefuseConnection= DynamicForward= LocalForward= RemoteForward= IdentityFile= CanonicalDomains=words CanonicalDomains=none CertificateFile= GlobalKnownHostsFile=words GlobalKnownHostsFile=none UserKnownHostsFile=words UserKnownHostsFile=none RevokedHostKeys=words RevokedHostKeys=none SendEnv= SetEnv= LogVerbose= ChannelTimeout= PermitRemoteOpen= AddKeysToAgent= ForwardAgent= ConnectTimeout= TunnelDevice= CanonicalizePermittedCNAMEs= ControlPersist= EscapeChar= IPQoS= RekeyLimit= StreamLocalBindMask= SyslogFacility= ProxyCommand= ProxyJump='
complete -c ssh -s P -d 'tag for Match tagged' -r -f
complete -c ssh -s p -d 'port or service name' -r -f
complete -c ssh -s Q -d 'list what is supported' -r -f -a 'cipher cipher-auth compression kex key key-cert key-plain key-sig mac protocol-version sig'
complete -c ssh -s R -d 'listen there, connect here' -r -f
complete -c ssh -s S -d 'socket for connection sharing; none turns it off' -r -F
complete -c ssh -s W -d 'standard input and output to a place on the other side' -r -f
complete -c ssh -s w -d 'forward a tunnel device' -r -f
