package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the tree's.
func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

func need(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skipf("peer lacks %s", n)
		}
	}
}

// The units say what systemd understands, here and as the packages name them.
func TestUnits(t *testing.T) {
	need(t, "systemd-analyze")
	dir := t.TempDir()
	for _, name := range []string{"sshd", "ssh-keygen", "kill"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	units, err := filepath.Glob(filepath.Join(root(t), "dist/systemd/*"))
	if err != nil || len(units) != 4 {
		t.Fatal(units, err)
	}
	var paths []string
	for _, u := range units {
		b, err := os.ReadFile(u)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.NewReplacer("/usr/sbin/sshd", filepath.Join(dir, "sshd"), "/usr/bin/ssh-keygen", filepath.Join(dir, "ssh-keygen"),
			"/bin/kill", filepath.Join(dir, "kill")).Replace(string(b))
		path := filepath.Join(dir, filepath.Base(u))
		if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(u); strings.Contains(name, "@") {
			path = filepath.Join(dir, strings.Replace(name, "@", "@1", 1))
			if err := os.Symlink(filepath.Base(u), path); err != nil {
				t.Fatal(err)
			}
		}
		paths = append(paths, path)
	}
	cmd := exec.Command("systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=one"}, paths...)...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, dir) || strings.Contains(line, "sshd") || strings.Contains(line, "ssh-") {
			t.Errorf("%s", line)
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// script is run as root in an overlay of the whole machine.
const script = `
set -eu
work=$1; shift
mount -t tmpfs none "$work"
mkdir "$work/up" "$work/wk" "$work/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$work/up",workdir="$work/wk" "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mount -t tmpfs none "$work/root/run"
mkdir "$work/root/debs" "$work/root/run/lock"
cp "$@" "$work/root/debs"
cat > "$work/root/debs/steps" <<'STEPS'
set -eu
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
quiet() { "$@" > /tmp/out 2>&1 || { cat /tmp/out; echo "FAILED: $*"; exit 1; }; }
is() { [ "$2" = "$3" ] || { echo "FAILED: $1: $2, want $3"; exit 1; }; }
has() { case $2 in *"$3"*) ;; *) echo "FAILED: $1: $2 lacks $3"; exit 1 ;; esac; }
userdel nacre 2>/dev/null || true
printf 'force-unsafe-io\nno-debsig\n' > /etc/dpkg/dpkg.cfg.d/fast # nothing of it is to last
printf 'path-exclude=/usr/share/man/*\n' >> /etc/dpkg/dpkg.cfg.d/fast
rm -f /etc/apt/apt.conf.d/*
mkdir -p /etc/ssh; echo '# mine' > /etc/ssh/sshd_config; echo key > /etc/ssh/ssh_host_test_key
before=$(ls -l /usr/bin/ssh)

# Beside OpenSSH.
quiet dpkg -i /debs/nacre_1_*.deb
has "the word" "$(nacre -V)" nacre
is "stock ssh" "$(ls -l /usr/bin/ssh)" "$before"
has "its own ssh" "$(/usr/lib/nacre/bin/ssh -V 2>&1)" nacre
getent passwd nacre > /dev/null || { echo "FAILED: no account"; exit 1; }
uid=$(id -u nacre)
quiet dpkg -i /debs/nacre_2_*.deb
is "version" "$(dpkg-query -W -f '${Version}' nacre)" 2
is "the account after an upgrade" "$(id -u nacre)" "$uid"
quiet dpkg -r nacre
[ ! -e /usr/bin/nacre ] && [ ! -e /usr/lib/nacre ] || { echo "FAILED: nacre is left"; exit 1; }
is "the account after removal" "$(id -u nacre)" "$uid"

# Instead of OpenSSH.
quiet apt-get -q -y --no-install-recommends --allow-downgrades --allow-remove-essential install /debs/nacre-openssh_1_*.deb
for p in openssh-client openssh-server; do
	case $(dpkg-query -W -f '${db:Status-Status}' $p 2>/dev/null || true) in installed) echo "FAILED: $p is there still"; exit 1 ;; esac
done
has "ssh" "$(ssh -V 2>&1)" nacre
has "sshd" "$(sshd -V 2>&1)" nacre
is "the configuration" "$(cat /etc/ssh/sshd_config)" "# mine"
is "a host key" "$(cat /etc/ssh/ssh_host_test_key)" key
grep -q '^Alias=sshd.service' /usr/lib/systemd/system/ssh.service || { echo "FAILED: no alias"; exit 1; }
[ -e /etc/pam.d/sshd ] || { echo "FAILED: no PAM file"; exit 1; }
sum=$(cat /etc/ssh/ssh_host_*_key | cksum)
quiet dpkg -i /debs/nacre-openssh_2_*.deb
is "version" "$(dpkg-query -W -f '${Version}' nacre-openssh)" 2
is "host keys after an upgrade" "$(cat /etc/ssh/ssh_host_*_key | cksum)" "$sum"
quiet dpkg -r --force-depends nacre-openssh
[ ! -e /usr/sbin/sshd ] || { echo "FAILED: sshd is left"; exit 1; }
is "host keys after removal" "$(cat /etc/ssh/ssh_host_*_key | cksum)" "$sum"
quiet dpkg -P --force-depends nacre-openssh
is "the configuration after purging" "$(cat /etc/ssh/sshd_config)" "# mine"
echo DONE
STEPS
exec chroot "$work/root" /bin/sh /debs/steps
`

// The packages are built, installed, upgraded, removed and purged, beside
// OpenSSH and in its place; what was the administrator's stays.
func TestPackages(t *testing.T) {
	need(t, "dpkg-deb", "apt-get", "unshare")
	if os.Getuid() != 0 {
		t.Skip("peer lacks root: packages are installed by it")
	}
	dir := root(t)
	binary, native := filepath.Join(dir, "build/nacre"), filepath.Join(dir, "build/nacre-native")
	for _, f := range []string{binary, native} {
		if _, err := os.Stat(f); err != nil {
			t.Skip("peer lacks build/nacre: run make build")
		}
	}
	out := t.TempDir()
	var debs []string
	for _, version := range []string{"1", "2"} {
		b, err := exec.Command(filepath.Join(dir, "dist/deb/build"), version, binary, native, out).Output()
		if err != nil {
			t.Fatal(err)
		}
		debs = append(debs, strings.Fields(string(b))...)
	}
	if len(debs) != 4 {
		t.Fatal(debs)
	}
	work := t.TempDir()
	b, err := exec.Command("unshare", append([]string{"-m", "--propagation", "private", "sh", "-c", script, "sh", work}, debs...)...).CombinedOutput()
	switch {
	case strings.Contains(string(b), "overlay") && strings.Contains(string(b), "mount:"):
		t.Skipf("peer lacks overlays: %s", b)
	case err != nil || !strings.HasSuffix(string(b), "DONE\n"):
		t.Errorf("%v\n%s", err, b)
	}
}
