//go:build linux || darwin || freebsd || openbsd

package login

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a chroot, as PATH_MAX has it.
const maxPath = 4096

// become takes on the plan's identity, in the one order that leaves nothing
// behind: group, supplementary groups, root directory, group and user with all
// of their saved kin. Then it tries to go back.
func (p *Plan) become(say func(v sshconfig.LogLevel, format string, args ...any)) error {
	if p.OOMScore != "" {
		// Best effort: the listener protects itself, and its children are not it.
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte(p.OOMScore), 0)
	}
	id := p.Identity
	if id == nil {
		if p.Chroot != "" {
			return fmt.Errorf("server lacks privileges to chroot to ChrootDirectory")
		}
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("Failed to set uids to %d.", id.UID)
	}
	if err := syscall.Setgid(int(id.GID)); err != nil {
		return fmt.Errorf("setgid: %s", reason.Of(err))
	}
	if !id.KeepGroups {
		unix.Umask(unix.Umask(0o022) | 0o022) // with PAM, pam_umask has had its say
		groups := make([]int, len(id.Groups))
		for i, g := range id.Groups {
			groups[i] = int(g)
		}
		if err := syscall.Setgroups(groups); err != nil {
			return fmt.Errorf("initgroups: %.100s: %s", p.User, reason.Of(err))
		}
	}
	if p.Chroot != "" {
		if err := safelyChroot(p.Chroot); err != nil {
			return err
		}
		say(sshconfig.Verbose, "Changed root directory to \"%s\"", p.Chroot)
	}
	if err := permanently(id.UID, id.GID); err != nil {
		return err
	}
	return noWayBack(id.UID, id.GID)
}

// noWayBack checks that the ids are the user's and that root cannot be had
// again (HST-7).
func noWayBack(uid, gid uint32) error {
	if uid != 0 {
		if syscall.Setgid(0) == nil && gid != 0 || gid != 0 && syscall.Setegid(0) == nil {
			return fmt.Errorf("permanently_set_uid: was able to restore old [e]gid")
		}
	}
	if os.Getgid() != int(gid) || os.Getegid() != int(gid) {
		return fmt.Errorf("permanently_set_uid: egid incorrect gid:%d egid:%d (should be %d)", os.Getgid(), os.Getegid(), gid)
	}
	if uid != 0 && (syscall.Setuid(0) == nil || syscall.Seteuid(0) == nil) {
		return fmt.Errorf("permanently_set_uid: was able to restore old [e]uid")
	}
	if os.Getuid() != int(uid) || os.Geteuid() != int(uid) {
		return fmt.Errorf("Failed to set uids to %d.", uid)
	}
	return nil
}

// safelyChroot makes path the root directory. Every component must be a
// directory that only root can change (HST-6): whoever could swap one chooses
// what the user's programs trust.
func safelyChroot(path string) error {
	if path[0] != '/' {
		return fmt.Errorf("chroot path does not begin at root")
	}
	if len(path) >= maxPath {
		return fmt.Errorf("chroot path too long")
	}
	for at := 0; at >= 0; {
		component, word := path, ""
		if i := strings.IndexByte(path[at:], '/'); i >= 0 {
			at += i + 1
			component, word = path[:at], "component "
		} else {
			at = -1
		}
		st, err := os.Stat(component)
		if err != nil {
			return fmt.Errorf("safely_chroot: stat(\"%s\"): %s", component, reason.Of(err))
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok || sys.Uid != 0 || st.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("bad ownership or modes for chroot directory %s\"%s\"", word, component)
		}
		if !st.IsDir() {
			return fmt.Errorf("chroot path %s\"%s\" is not a directory", word, component)
		}
	}
	if err := os.Chdir(path); err != nil {
		return fmt.Errorf("Unable to chdir to chroot path \"%s\": %s", path, reason.Of(err))
	}
	if err := syscall.Chroot(path); err != nil {
		return fmt.Errorf("chroot(\"%s\"): %s", path, reason.Of(err))
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("safely_chroot: chdir(/) after chroot: %s", reason.Of(err))
	}
	return nil
}
