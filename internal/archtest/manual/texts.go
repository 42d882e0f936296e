package manual

const clientIntro = `ssh takes each value from the first place that gives one: its command line, then ~/.ssh/config, then /etc/ssh/ssh_config. With -F one file is read in place of both. A file is lines of a keyword and its value, parted by blanks or one equals sign; keywords may be written in any case, values may not. Quotes, single or double, keep blanks in a value, and a # outside of quotes begins a comment.

The first value counts, so what is for few hosts stands before what is for many. A few keywords add up instead, which their paragraphs say.

A file is divided by Host and Match: what follows them is for the connections they name, and what stands before the first of them is for all.`

var clientText = [...]text{
	{"Host", "Its patterns are parted by blanks. A * stands for any text, a ? for one character. A pattern behind ! excludes what it matches, and the whole line with it; such a pattern alone matches nothing. What is compared is the host as it was typed, or its full name in the second pass of CanonicalizeHostname."},
	{"Match", "All criteria of the line must hold, and one behind ! must not. The criterion all stands alone, or behind canonical or final. canonical holds in the second pass that CanonicalizeHostname makes, final asks for such a pass. host compares the name that is connected to, originalhost the one that was typed, user the name on the other side, localuser the one here. localnetwork holds when an address of this machine is in a network. exec runs a command with the shell, and holds when it ends with 0. tagged compares what Tag or -P set, command the remote command, sessiontype its kind (shell, exec, subsystem, none), version the name of this program. All but exec and localnetwork take a list of patterns parted by commas."},
	{"Include", "A path without a slash in front is looked for in ~/.ssh, or in /etc/ssh for the system's file. Wildcards, tokens, variables and ~ are expanded. An Include within a block holds for that block only, and blocks of the included file end with it. Up to 16 files may include one another."},
	{"User", "Tokens and variables are expanded."},
	{"Port", "A service's name will do."},
	{"BatchMode", "Passphrases, passwords and unknown host keys are then refused, for scripts that nobody sits beside."},
	{"CanonicalizeHostname", "The name is looked up in each of CanonicalDomains, and the first that exists takes its place; the configuration is then read once more with it. Connections through a proxy are left alone unless the value is always."},
	{"CanonicalizeFallbackLocal", "With no, a name that is in none of CanonicalDomains is an error."},
	{"CanonicalDomains", "They are tried in the order given."},
	{"CanonicalizePermittedCNAMEs", "Each value is two lists of patterns with a colon between them: names of the first may be aliases of names of the second."},
	{"CheckHostIP", "This notices a host whose address has moved, and a name server that lies."},
	{"ChannelTimeout", "Each value is a type of channel, an equals sign and a time after which a silent channel is closed. Types are session, session:shell, session:command, session:subsystem:NAME, direct-tcpip, forwarded-tcpip and their kin; wildcards are taken, and global is about all channels together."},
	{"ControlMaster", "With yes this connection serves others, with auto it uses one that is there and serves otherwise; ask and autoask have each use confirmed by a dialog."},
	{"ControlPath", "Tokens are expanded; %C makes a short name that differs for every user, host and port."},
	{"ControlPersist", "A time is how long it stays without use; yes is for ever."},
	{"FingerprintHash", "The md5 form is that of old programs."},
	{"ForwardAgent", "Whoever is root on the other side can then use the keys of the agent for as long as the connection lasts. A path or a variable names another agent than this one's."},
	{"ForwardX11", "Whoever is root on the other side can then see this display."},
	{"EnableSSHKeysign", "It is the helper ssh-keysign that looks at it."},
	{"EscapeChar", "It counts at the beginning of a line. ^X is a control character."},
	{"HashKnownHosts", "Names in the file then tell nobody which hosts were visited. Names that are there already are not changed."},
	{"HostKeyAlgorithms", "Without a list of its own, ssh puts those first whose key it knows. A list that begins with + adds to the default, - removes from it, ^ puts names in front."},
	{"HostbasedAuthentication", "The other side believes this machine's word for who its user is. The helper ssh-keysign signs with the machine's host key."},
	{"HostKeyAlias", "It helps where several servers share one name, or one server has several ports. Its case does not matter."},
	{"IdentitiesOnly", "An agent with many keys then does not use up the tries that the server allows."},
	{"IdentityAgent", "SSH_AUTH_SOCK is the agent that the environment names, none is no agent, and $NAME the one that variable NAME names."},
	{"IdentityFile", "A file of a public key selects a key of the agent. A certificate beside it, with -cert.pub behind its name, is tried too."},
	{"CertificateFile", "The private key for it must be an IdentityFile or in the agent."},
	{"IgnoreUnknown", "It must stand before the keywords that it is about."},
	{"IPQoS", "The first is for sessions with a terminal, the second for all others. They are DSCP names as af21, cs1, ef and le, a number, or none for the system's own."},
	{"KexAlgorithms", "ssh -Q kex lists what there is."},
	{"Ciphers", "ssh -Q cipher lists what there is. Where the processor has instructions for AES, AES-GCM comes first."},
	{"MACs", "ssh -Q mac lists what there is. Ciphers that protect themselves need none."},
	{"KnownHostsCommand", "It is started without a shell, up to three times: to learn which algorithms to ask for (%I is ORDER), and to look up the name (HOSTNAME) and the address (ADDRESS) of the host. It prints lines as known_hosts has them. When it fails, so does the connection."},
	{"LocalCommand", "PermitLocalCommand must be on. The shell runs it before the session starts, and ssh waits for its end."},
	{"LogVerbose", "Each pattern is of the form FILE:FUNCTION:LINE; what those places say is logged whatever LogLevel is."},
	{"NoHostAuthenticationForLocalhost", "It is for home directories that several machines share."},
	{"ObscureKeystrokeTiming", "What is typed leaves at fixed intervals, so that the rhythm tells nothing of the text."},
	{"PermitRemoteOpen", "Each value is HOST:PORT, either of which may be *; none allows nothing."},
	{"PreferredAuthentications", "The built-in order is gssapi-with-mic, hostbased, publickey, keyboard-interactive, password."},
	{"ProxyCommand", "The shell runs it in place of itself, with the tokens %h, %n, %p, %r and %k; its input and output are the connection. Of ProxyCommand and ProxyJump the first that is given counts."},
	{"ProxyJump", "Each hop is reached through the one before it, with the configuration of its own."},
	{"PubkeyAuthentication", "unbound and host-bound turn the protocol's binding of signatures to the host key off and on."},
	{"RefuseConnection", "The message tells why."},
	{"RekeyLimit", "The first value is bytes with K, M or G behind the number, or default; the second a time, or none."},
	{"RevokedHostKeys", "A file is a public key a line, or a revocation list as ssh-keygen -k makes it. One that cannot be read refuses every key."},
	{"SendEnv", "The server must allow them too. A pattern behind - takes variables out again."},
	{"SetEnv", "Only the first line that applies counts."},
	{"ServerAliveInterval", "It finds out that the way to the server is gone, and keeps it open through routers that forget."},
	{"StrictHostKeyChecking", "ask asks about unknown keys, and takes the fingerprint as an answer too; accept-new learns them; yes refuses them; no learns them and goes on with changed ones, without passwords and forwards. A changed key is refused with all other values."},
	{"UpdateHostKeys", "The server tells all its keys after login and proves that it has them. New ones are added to the user's file and those that are no longer told of removed, so that a server's keys can be changed without a question. Nothing is learned where the key in use came from the system's file, a certificate or KnownHostsCommand, or where the line is about other hosts too."},
	{"UserKnownHostsFile", "New keys go into the first."},
	{"VerifyHostKeyDNS", "With yes, a key is taken when its fingerprint is in DNS and the answer was validated by a name server that resolv.conf trusts (trust-ad, or one on this machine); otherwise, and with ask, the question says what DNS said."},
	{"VersionAddendum", "Tokens and variables are expanded."},
	{"VisualHostKey", "It is easier to see that a picture has changed than a line of letters."},
	{"WarnWeakCrypto", "What is recorded of such a connection today can be read by a quantum computer later. no-pq-kex is the same as yes for this warning alone."},
	{"AddKeysToAgent", "ask has a dialog ask for each key; confirm has the agent ask for each use; a time is how long a key stays."},
}

var clientOutro = [][2]string{
	{"TOKENS", `Some values hold tokens that stand for what is known of the connection: %% a percent sign, %C a hash of %l%h%p%r%j, %d the home directory, %h the host, %i the user's number, %j the ProxyJump, %k the HostKeyAlias or else the host as typed, %L the first part of this machine's name, %l the whole of it, %n the host as typed, %p the port, %r the user on the other side, %u the user here.

KnownHostsCommand has %f for the key's fingerprint, %H for the name that is looked up, %I for the reason, %K for the key in base64 and %t for its type besides; LocalCommand has all of these, and %T for the tunnel device.

Paths take variables of the environment too, as ${NAME}; one that is not set is an error.`},
	{"FILES", `~/.ssh/config is the user's file, which nobody else may be able to write. /etc/ssh/ssh_config is the system's.`},
	{"SEE ALSO", "ssh(1), sshd_config(5)"},
}

const sshIntro = `ssh logs in to another machine and runs a command there, or a shell where none is given. The destination is a host, user@host, or ssh://user@host:port. Everything between the two machines is encrypted, and each proves to the other who it is.

Options may stand behind the destination too; the first word behind it that is none begins the command.`

var sshFlagText = [...]text{
	{"f", "The process that was started ends when login and forwards have succeeded."},
	{"G", "What is printed can be read again with -F."},
	{"i", "It may be given several times."},
	{"o", "It is written NAME=VALUE."},
	{"Q", "ssh -Q help lists the questions."},
	{"v", "Each line begins with the level it is for."},
}

var sshOutro = [][2]string{
	{"HOST KEYS", `The first time that a server is met, its key is unknown; ssh shows the fingerprint and asks. Compare it with what the server's administrator says: typing that fingerprint is an answer too. Keys that were accepted are kept in ~/.ssh/known_hosts, and a key that differs from the one kept there stops the connection.`},
	{"ESCAPES", `In a session with a terminal, ~ at the beginning of a line begins an order to ssh itself: ~. ends the connection, ~^Z suspends ssh, ~? lists all of them, and ~~ sends the character.`},
	{"ENVIRONMENT", `SSH_AUTH_SOCK is the agent's socket. SSH_ASKPASS is the program that asks for secrets where there is no terminal; SSH_ASKPASS_REQUIRE is never, prefer or force. DISPLAY or WAYLAND_DISPLAY say that there is somewhere to show it.`},
	{"EXIT STATUS", `That of the remote command, or 255 where something went wrong on the way.`},
	{"SEE ALSO", "ssh_config(5), sshd(8)"},
}

const serverIntro = `sshd reads /etc/ssh/sshd_config, or the file that -f names. A file is lines of a keyword and its value, parted by blanks or one equals sign; keywords may be written in any case, values may not. Quotes keep blanks in a value, and a # outside of quotes begins a comment.

The first value counts, and the command line's before the file's. What follows a Match is for the connections that meet its criteria and counts before what stands outside.`

var serverText = [...]text{
	{"Match", "Criteria are parted by blanks and all must hold. User, Group and Host take lists of patterns; Address and LocalAddress lists of networks as 192.0.2.0/24 or patterns; LocalPort port numbers; Invalid-User holds for names that have no account; All always holds. A block ends with the next Match or with the file it began in."},
	{"Include", "A path without a slash in front is looked for in /etc/ssh. A file that does not exist is passed over."},
	{"Port", "It may be given several times."},
	{"ListenAddress", "It is written HOST, HOST:PORT or [ADDRESS]:PORT."},
	{"LoginGraceTime", "0 waits for ever, which lets strangers fill the server."},
	{"MaxAuthTries", "From half of them on, failures are logged."},
	{"MaxStartups", "START:RATE:FULL refuses RATE percent of new connections once START are not logged in, more as they get more, and all once FULL are."},
	{"PermitRootLogin", "prohibit-password lets root in with keys only, forced-commands-only with keys that are bound to a command."},
	{"AuthenticationMethods", "A blank parts alternatives, a comma methods that are all needed in that order. publickey,publickey needs two different keys."},
	{"AuthorizedKeysFile", "Tokens are expanded; a path without a slash in front is in the user's home directory."},
	{"AuthorizedKeysCommand", "It must belong to root and be writable by nobody else, and is run as AuthorizedKeysCommandUser."},
	{"ChrootDirectory", "The directory and all above it must belong to root and be writable by nobody else."},
	{"ForceCommand", "What the client wanted is in SSH_ORIGINAL_COMMAND. internal-sftp is the server's own."},
	{"HostKey", "Those that do not exist are passed over when no line names them."},
	{"StrictModes", "Files that others could have written let nobody in."},
	{"Subsystem", "internal-sftp is the server's own."},
	{"RevokedKeys", "A file is a public key a line, or a revocation list as ssh-keygen -k makes it. One that cannot be read refuses every key."},
	{"TrustedUserCAKeys", "A certificate that one of them signed lets in whom it names."},
	{"PerSourcePenalties", "A source that misbehaves has to wait before it is let near again."},
	{"LobbyPerSource", "A place in the lobby is held from the first byte until the key exchange has begun."},
	{"LobbyMax", "When all places are taken, the source with most of them loses its oldest."},
	{"AllowUsers", "A pattern may be USER@HOST."},
	{"DenyUsers", "A pattern may be USER@HOST."},
	{"UsePAM", "Accounts, passwords and sessions are then checked by the system's modules too."},
	{"Banner", "It is shown before anybody has logged in."},
}

var serverOutro = [][2]string{
	{"FILES", "/etc/ssh/sshd_config should belong to root and be writable by root alone."},
	{"SEE ALSO", "sshd(8), ssh_config(5)"},
}

const sshdIntro = `sshd waits for connections and lets those in who can prove who they are. It goes to the background unless it is told not to.`

// sshdFlags is the command line of sshd(8).
var sshdFlags = [...]struct{ letter, arg, says string }{
	{"4", "", "Listen on IPv4 addresses only."},
	{"6", "", "Listen on IPv6 addresses only."},
	{"C", "connection_spec", "With -T, show what holds for a connection of user=, host=, addr=, laddr=, lport=, rdomain= or an invalid-user, parted by commas."},
	{"c", "host_certificate_file", "A certificate for a host key."},
	{"D", "", "Stay in the foreground."},
	{"d", "", "Serve one connection in the foreground and say what goes on, more with each of up to three."},
	{"E", "log_file", "Append the log to a file. %p stands for the process number, %P for the program."},
	{"e", "", "Log to standard error."},
	{"f", "config_file", "Read this configuration; none is the built-in one."},
	{"G", "", "Read the configuration, print it and end."},
	{"g", "login_grace_time", "How long a client may take to log in."},
	{"h", "host_key_file", "A host key."},
	{"i", "", "Serve the connection on standard input and end."},
	{"O", "command", "Ask the server that runs with this configuration: status prints its counters, a name and a number to a line."},
	{"o", "option", "Any keyword of sshd_config(5), as NAME=VALUE."},
	{"p", "port", "Listen on this port; it may be given several times."},
	{"q", "", "Log nothing."},
	{"T", "", "Check the configuration and the keys, print the configuration and end."},
	{"t", "", "Check the configuration and the keys and end."},
	{"u", "len", "How long a host name may be in the record of logins; 0 records addresses."},
	{"V", "", "Print the version and end."},
	{"r, b, k, Q, R", "", "These are taken, some with a value, and mean nothing any more."},
}

var sshdOutro = [][2]string{
	{"SIGNALS", `HUP reads the configuration again: a broken one is logged, and the old one goes on. TERM stops listening and ends; sessions that are open go on. USR2 has the program on disk take this one's place, with its sockets: no connection is refused and sessions go on; a program that does not accept the configuration does not take over.`},
	{"FILES", `The PidFile, and named after it a socket (.sock) where -O status asks and only root may. What is held against sources that misbehaved is kept in /var/lib/nacre, or beside a PidFile that is not in /run.`},
	{"EXIT STATUS", `0 for a good configuration and an orderly end, 255 for a broken configuration, 1 for a wrong command line and for missing host keys.`},
	{"SEE ALSO", "ssh(1), sshd_config(5)"},
}
