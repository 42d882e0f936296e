# Completion of ssh's command line. Made by `make gen`: do not edit.
_nacre_ssh_hosts() {
	{
		cat ~/.ssh/config ~/.ssh/config.d/* /etc/ssh/ssh_config /etc/ssh/ssh_config.d/* 2>/dev/null |
			awk 'tolower($1) == "host" { for (i = 2; i <= NF; i++) if ($i !~ /[*?!"]/) print $i }'
		cat ~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts 2>/dev/null |
			awk '/^[^#@|]/ { n = split($1, h, ","); for (i = 1; i <= n; i++) { sub(/^\[/, "", h[i]); sub(/\]:.*/, "", h[i]); if (h[i] !~ /[*?!]/) print h[i] } }'
	} | sort -u
}
_nacre_ssh() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	case $prev in
	-i | -E | -F | -I | -S) compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
	-c) COMPREPLY=($(compgen -W "$(ssh -Q cipher 2>/dev/null)" -- "$cur")); return ;;
	-m) COMPREPLY=($(compgen -W "$(ssh -Q mac 2>/dev/null)" -- "$cur")); return ;;
	-Q) COMPREPLY=($(compgen -W "cipher cipher-auth compression kex key key-cert key-plain key-sig mac protocol-version sig" -- "$cur")); return ;;
	-J) COMPREPLY=($(compgen -W "$(_nacre_ssh_hosts)" -- "$cur")); return ;;
	-o)
		case $cur in
		AddressFamily=*) COMPREPLY=($(compgen -P AddressFamily= -W "inet inet6 any" -- "${cur#*=}")) ;;
		BatchMode=*) COMPREPLY=($(compgen -P BatchMode= -W "yes no" -- "${cur#*=}")) ;;
		CanonicalizeFallbackLocal=*) COMPREPLY=($(compgen -P CanonicalizeFallbackLocal= -W "yes no" -- "${cur#*=}")) ;;
		CanonicalizeHostname=*) COMPREPLY=($(compgen -P CanonicalizeHostname= -W "true false yes no always" -- "${cur#*=}")) ;;
		CheckHostIP=*) COMPREPLY=($(compgen -P CheckHostIP= -W "yes no" -- "${cur#*=}")) ;;
		Compression=*) COMPREPLY=($(compgen -P Compression= -W "yes no" -- "${cur#*=}")) ;;
		ControlMaster=*) COMPREPLY=($(compgen -P ControlMaster= -W "true yes false no auto ask autoask" -- "${cur#*=}")) ;;
		EnableSSHKeysign=*) COMPREPLY=($(compgen -P EnableSSHKeysign= -W "yes no" -- "${cur#*=}")) ;;
		ClearAllForwardings=*) COMPREPLY=($(compgen -P ClearAllForwardings= -W "yes no" -- "${cur#*=}")) ;;
		ExitOnForwardFailure=*) COMPREPLY=($(compgen -P ExitOnForwardFailure= -W "yes no" -- "${cur#*=}")) ;;
		FingerprintHash=*) COMPREPLY=($(compgen -P FingerprintHash= -W "md5 sha256" -- "${cur#*=}")) ;;
		ForwardX11=*) COMPREPLY=($(compgen -P ForwardX11= -W "yes no" -- "${cur#*=}")) ;;
		ForwardX11Trusted=*) COMPREPLY=($(compgen -P ForwardX11Trusted= -W "yes no" -- "${cur#*=}")) ;;
		GatewayPorts=*) COMPREPLY=($(compgen -P GatewayPorts= -W "yes no" -- "${cur#*=}")) ;;
		GSSAPIAuthentication=*) COMPREPLY=($(compgen -P GSSAPIAuthentication= -W "yes no" -- "${cur#*=}")) ;;
		GSSAPIDelegateCredentials=*) COMPREPLY=($(compgen -P GSSAPIDelegateCredentials= -W "yes no" -- "${cur#*=}")) ;;
		HashKnownHosts=*) COMPREPLY=($(compgen -P HashKnownHosts= -W "yes no" -- "${cur#*=}")) ;;
		HostbasedAuthentication=*) COMPREPLY=($(compgen -P HostbasedAuthentication= -W "yes no" -- "${cur#*=}")) ;;
		IdentitiesOnly=*) COMPREPLY=($(compgen -P IdentitiesOnly= -W "yes no" -- "${cur#*=}")) ;;
		KbdInteractiveAuthentication=*) COMPREPLY=($(compgen -P KbdInteractiveAuthentication= -W "yes no" -- "${cur#*=}")) ;;
		NoHostAuthenticationForLocalhost=*) COMPREPLY=($(compgen -P NoHostAuthenticationForLocalhost= -W "yes no" -- "${cur#*=}")) ;;
		PasswordAuthentication=*) COMPREPLY=($(compgen -P PasswordAuthentication= -W "yes no" -- "${cur#*=}")) ;;
		PermitLocalCommand=*) COMPREPLY=($(compgen -P PermitLocalCommand= -W "yes no" -- "${cur#*=}")) ;;
		ProxyUseFdpass=*) COMPREPLY=($(compgen -P ProxyUseFdpass= -W "yes no" -- "${cur#*=}")) ;;
		PubkeyAuthentication=*) COMPREPLY=($(compgen -P PubkeyAuthentication= -W "true false yes no unbound host-bound" -- "${cur#*=}")) ;;
		RequestTTY=*) COMPREPLY=($(compgen -P RequestTTY= -W "true false yes no force auto" -- "${cur#*=}")) ;;
		StdinNull=*) COMPREPLY=($(compgen -P StdinNull= -W "yes no" -- "${cur#*=}")) ;;
		ForkAfterAuthentication=*) COMPREPLY=($(compgen -P ForkAfterAuthentication= -W "yes no" -- "${cur#*=}")) ;;
		StreamLocalBindUnlink=*) COMPREPLY=($(compgen -P StreamLocalBindUnlink= -W "yes no" -- "${cur#*=}")) ;;
		StrictHostKeyChecking=*) COMPREPLY=($(compgen -P StrictHostKeyChecking= -W "true false yes no ask off accept-new" -- "${cur#*=}")) ;;
		TCPKeepAlive=*) COMPREPLY=($(compgen -P TCPKeepAlive= -W "yes no" -- "${cur#*=}")) ;;
		Tunnel=*) COMPREPLY=($(compgen -P Tunnel= -W "ethernet point-to-point true false yes no" -- "${cur#*=}")) ;;
		VerifyHostKeyDNS=*) COMPREPLY=($(compgen -P VerifyHostKeyDNS= -W "true false yes no ask" -- "${cur#*=}")) ;;
		VisualHostKey=*) COMPREPLY=($(compgen -P VisualHostKey= -W "yes no" -- "${cur#*=}")) ;;
		UpdateHostKeys=*) COMPREPLY=($(compgen -P UpdateHostKeys= -W "yes no ask" -- "${cur#*=}")) ;;
		EnableEscapeCommandline=*) COMPREPLY=($(compgen -P EnableEscapeCommandline= -W "yes no" -- "${cur#*=}")) ;;
		WarnWeakCrypto=*) COMPREPLY=($(compgen -P WarnWeakCrypto= -W "yes no no-pq-kex true false" -- "${cur#*=}")) ;;
		LogLevel=*) COMPREPLY=($(compgen -P LogLevel= -W "QUIET FATAL ERROR INFO VERBOSE DEBUG DEBUG1 DEBUG2 DEBUG3" -- "${cur#*=}")) ;;
		CanonicalDomains=*) COMPREPLY=($(compgen -P CanonicalDomains= -W "words none" -- "${cur#*=}")) ;;
		GlobalKnownHostsFile=*) COMPREPLY=($(compgen -P GlobalKnownHostsFile= -W "words none" -- "${cur#*=}")) ;;
		UserKnownHostsFile=*) COMPREPLY=($(compgen -P UserKnownHostsFile= -W "words none" -- "${cur#*=}")) ;;
		RevokedHostKeys=*) COMPREPLY=($(compgen -P RevokedHostKeys= -W "words none" -- "${cur#*=}")) ;;
		*=*) ;;
		*) compopt -o nospace; COMPREPLY=($(compgen -S = -W "User Hostname Port AddressFamily BatchMode CanonicalizeFallbackLocal CanonicalizeHostname CheckHostIP Compression ControlMaster EnableSSHKeysign ClearAllForwardings ExitOnForwardFailure FingerprintHash ForwardX11 ForwardX11Trusted GatewayPorts GSSAPIAuthentication GSSAPIDelegateCredentials HashKnownHosts HostbasedAuthentication IdentitiesOnly KbdInteractiveAuthentication NoHostAuthenticationForLocalhost PasswordAuthentication PermitLocalCommand ProxyUseFdpass PubkeyAuthentication RequestTTY SessionType StdinNull ForkAfterAuthentication StreamLocalBindUnlink StrictHostKeyChecking TCPKeepAlive Tunnel VerifyHostKeyDNS VisualHostKey UpdateHostKeys EnableEscapeCommandline WarnWeakCrypto CanonicalizeMaxDots ConnectionAttempts ForwardX11Timeout NumberOfPasswordPrompts ServerAliveCountMax ServerAliveInterval RequiredRSASize ObscureKeystrokeTiming BindAddress BindInterface Ciphers ControlPath HostKeyAlgorithms HostKeyAlias HostbasedAcceptedAlgorithms IdentityAgent IgnoreUnknown KbdInteractiveDevices KexAlgorithms CASignatureAlgorithms LocalCommand RemoteCommand LogLevel MACs PKCS11Provider SecurityKeyProvider PreferredAuthentications PubkeyAcceptedAlgorithms XAuthLocation KnownHostsCommand Tag VersionAddendum RefuseConnection DynamicForward LocalForward RemoteForward IdentityFile CanonicalDomains CertificateFile GlobalKnownHostsFile UserKnownHostsFile RevokedHostKeys SendEnv SetEnv LogVerbose ChannelTimeout PermitRemoteOpen AddKeysToAgent ForwardAgent ConnectTimeout TunnelDevice CanonicalizePermittedCNAMEs ControlPersist EscapeChar IPQoS RekeyLimit StreamLocalBindMask SyslogFacility ProxyCommand ProxyJump" -- "$cur")) ;;
		esac
		return
		;;
	-[BbDeLlOPpRWw]) return ;;
	esac
	case $cur in
	-*) COMPREPLY=($(compgen -W "-1 -2 -4 -6 -A -a -C -f -G -g -K -k -M -N -n -q -s -T -t -V -v -X -x -Y -y -Z -B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w" -- "$cur")) ;;
	*@*) COMPREPLY=($(compgen -P "${cur%%@*}@" -W "$(_nacre_ssh_hosts)" -- "${cur#*@}")) ;;
	*)
		COMPREPLY=($(compgen -W "$(_nacre_ssh_hosts)" -- "$cur"))
		;;
	esac
}
complete -F _nacre_ssh ssh slogin
