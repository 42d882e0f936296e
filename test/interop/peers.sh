#!/bin/sh
# Installs the real peers that the tests talk to, from Debian's archive:
#
#   openssh-client, openssh-server   the distribution's own OpenSSH (9.2)
#   dropbear-bin, tinysshd           small servers (and dropbear's client)
#   putty-tools                      plink, puttygen
#   python3-paramiko, -asyncssh      libraries, both roles
#   git, rsync, ansible-core         programs that start an ssh of their own
#   tshark                           dissects what goes over the wire
#   Linux-PAM's modules, pam_google_authenticator, oathtool, perl (for crypt(3))
#   fail2ban, sshguard, iptables,
#   ufw, nftables                    what guides put before a server
#   systemd                          its socket activation and its judge of units
#   OpenSSH from bookworm-backports  (10.0) unpacked beside, into
#                                    build/peers/openssh-10, installed nowhere
#
# It starts no service and changes nothing when all is there already. Without
# apt-get it says what to install by hand; a test whose peer is missing then
# skips with that peer's name.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
peers=$here/build/peers
packages="openssh-client openssh-server openssh-sftp-server dropbear-bin tinysshd putty-tools
 python3-paramiko python3-asyncssh xauth procps
 git rsync ansible-core tshark
 libpam-modules libpam-runtime libpam-google-authenticator oathtool perl
 sudo tmux openssl sshfs fuse3 netcat-openbsd curl
 fail2ban sshguard iptables ufw systemd iproute2 nftables e2fsprogs"

missing=
for p in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
want10=
[ -x "$peers/openssh-10/usr/sbin/sshd" ] && [ -x "$peers/openssh-10/usr/bin/ssh" ] || want10=yes
[ -n "$missing$want10" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "peers: no apt-get here; install by hand:$missing" >&2
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "peers: run as root, or install by hand:$missing" >&2
	exit 0
fi

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root "$@"
}

if [ -n "$missing" ]; then
	# No package may start a daemon on this machine.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	# shellcheck disable=SC2086
	apt install --no-install-recommends $missing || {
		apt update
		apt install --no-install-recommends $missing
	}
fi

if [ -n "$want10" ]; then
	# A source list of its own, used for this download alone.
	work=$peers/apt
	rm -rf "$work" "$peers/openssh-10.new"
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs"
	# The mirror this machine already uses.
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
	if [ -z "$mirror" ]; then
		echo "peers: no mirror of bookworm in apt's sources: doing without OpenSSH 10.0" >&2
		exit 0
	fi
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" >"$work/sources.list"
	beside() {
		apt -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
			-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" "$@"
	}
	beside update
	(cd "$work/debs" && beside download openssh-client openssh-server openssh-sftp-server)
	mkdir -p "$peers/openssh-10.new"
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$peers/openssh-10.new"
	done
	rm -rf "$peers/openssh-10" "$work"
	mv "$peers/openssh-10.new" "$peers/openssh-10"
fi
