package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SystemRecords are those of this machine.
func SystemRecords() *Records {
	return &Records{Utmp: "/var/run/utmp", Wtmp: "/var/log/wtmp", Lastlog: "/var/log/lastlog", Btmp: "/var/log/btmp"}
}

// Types of utmp(5).
const (
	loginProcess = 6
	userProcess  = 7
	deadProcess  = 8
)

// Sizes of the fields of utmp(5) and lastlog.
const (
	lineSize = 32
	idSize   = 4
	userSize = 32
	hostSize = 256
)

// Limits of what is looked through, so that a broken file holds nobody up.
const (
	maxUtmp  = 64 << 20
	lockTime = 2 * time.Second
)

// wide tells whether times have 64 bits in utmp(5) and lastlog: they have 32 on
// machines that once had 32-bit programs beside the others.
func wide() bool {
	switch runtime.GOARCH {
	case "arm64", "riscv64", "loong64":
		return true
	}
	return false
}

// utmp is a record of utmp, wtmp and btmp.
type utmp struct {
	kind int16
	pid  int32
	line string
	id   string
	user string
	host string
	time time.Time
	addr netip.Addr
}

// utmpSize is the length of a record, in bytes.
func utmpSize(wide bool) int {
	if wide {
		return 400
	}
	return 384
}

// encode lays u out. Texts are cut to their fields and have no terminator where
// they fill them.
func (u *utmp) encode(wide bool) []byte {
	b := make([]byte, utmpSize(wide))
	e := binary.NativeEndian
	e.PutUint16(b, uint16(u.kind))
	e.PutUint32(b[4:], uint32(u.pid))
	copy(b[8:8+lineSize], u.line)
	copy(b[40:40+idSize], u.id)
	copy(b[44:44+userSize], u.user)
	copy(b[76:76+hostSize], u.host)
	at := 340
	sec, micro := u.time.Unix(), int64(u.time.Nanosecond()/1000)
	if u.time.IsZero() {
		sec, micro = 0, 0
	}
	if wide {
		e.PutUint64(b[344:], uint64(sec))
		e.PutUint64(b[352:], uint64(micro))
		at = 360
	} else {
		e.PutUint32(b[at:], uint32(sec))
		e.PutUint32(b[at+4:], uint32(micro))
		at += 8
	}
	if a := u.addr.Unmap(); a.Is4() {
		v := a.As4()
		copy(b[at:], v[:])
	} else if a.Is6() {
		v := a.As16()
		copy(b[at:], v[:])
	}
	return b
}

// field is the text of a field.
func field(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// decode reads what identifies a record.
func (u *utmp) decode(b []byte) {
	e := binary.NativeEndian
	u.kind, u.pid = int16(e.Uint16(b)), int32(e.Uint32(b[4:]))
	u.line, u.id = field(b[8:8+lineSize]), field(b[40:40+idSize])
	u.user, u.host = field(b[44:44+userSize]), field(b[76:76+hostSize])
}

// lineID is the short name of a terminal: the end of its long one.
func lineID(line string) string { return line[max(0, len(line)-idSize):] }

// Login writes that e has come: to utmp, in place of the last one with its
// terminal's id, to wtmp and to lastlog.
func (r *Records) Login(e Entry) error {
	if r == nil {
		return nil
	}
	u := &utmp{kind: userProcess, pid: int32(e.PID), line: e.Line, id: lineID(e.Line), user: e.User, host: e.Host, time: e.Time, addr: e.Addr}
	return errors.Join(
		r.put(u, func(old *utmp) bool {
			return old.kind >= 5 && old.kind <= deadProcess && old.id == u.id
		}, true),
		appendRecord(r.Wtmp, u),
		r.setLast(e))
}

// ErrNoEntry says that nobody was on the terminal, as far as utmp knows.
var ErrNoEntry = errors.New("account: no entry of the terminal in utmp")

// Logout writes that whoever was on the terminal line has gone: to utmp and, if
// somebody was there, to wtmp; else the error is ErrNoEntry.
func (r *Records) Logout(line string, pid int, now time.Time) error {
	if r == nil || r.Utmp == "" {
		return nil
	}
	var u utmp
	err := r.put(&u, func(old *utmp) bool {
		if old.line != line || old.kind != userProcess && old.kind != loginProcess {
			return false
		}
		u = utmp{kind: deadProcess, pid: old.pid, line: old.line, id: old.id, time: now}
		return true
	}, false)
	if err != nil {
		return err
	}
	return appendRecord(r.Wtmp, &utmp{kind: deadProcess, pid: int32(pid), line: line, time: now})
}

// put writes u over the first record that is like it, or behind all others if
// add is set.
func (r *Records) put(u *utmp, like func(*utmp) bool, add bool) error {
	if r.Utmp == "" {
		return nil
	}
	f, err := os.OpenFile(r.Utmp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock(f, lockTime); err != nil {
		return &os.PathError{Op: "lock", Path: r.Utmp, Err: err}
	}
	size := utmpSize(wide())
	b, err := io.ReadAll(io.LimitReader(f, maxUtmp))
	if err != nil {
		return err
	}
	at := 0
	for ; at+size <= len(b); at += size {
		var old utmp
		if old.decode(b[at:]); like(&old) {
			_, err = f.WriteAt(u.encode(wide()), int64(at))
			return err
		}
	}
	if !add {
		return ErrNoEntry
	}
	_, err = f.WriteAt(u.encode(wide()), int64(at))
	return err
}

// lock takes the lock that the C library takes, for as long as f is open.
func lock(f *os.File, most time.Duration) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(most)
	for {
		var errno error
		if err := raw.Control(func(fd uintptr) {
			errno = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		}); err != nil {
			return err
		}
		if errno != unix.EAGAIN && errno != unix.EACCES || time.Now().After(deadline) {
			return errno
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// appendRecord writes u behind everything else in a file that is there. What
// could not be written whole is taken back.
func appendRecord(path string, u *utmp) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return appendTo(f, u)
}

func appendTo(f *os.File, u *utmp) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if n, err := f.Write(u.encode(wide())); err != nil {
		if n > 0 {
			_ = f.Truncate(st.Size())
		}
		return err
	}
	return nil
}

// lastSize is the length of a record of lastlog, and of the time in it.
func lastSize(wide bool) (record, clock int) {
	clock = 4
	if wide {
		clock = 8
	}
	return clock + lineSize + hostSize, clock
}

// openLast opens the lastlog: a file with a record for every user number, or a
// directory with a file for every user.
func (r *Records) openLast(user string, uid uint32, how int) (f *os.File, at int64, err error) {
	path := r.Lastlog
	st, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	size, _ := lastSize(wide())
	switch {
	case st.IsDir():
		if !ValidName(user) || strings.ContainsRune(user, '/') || user == "." || user == ".." {
			return nil, 0, fmt.Errorf("account: no lastlog file for %q", user)
		}
		path, how = filepath.Join(path, user), how|os.O_CREATE
	case st.Mode().IsRegular():
		at = int64(uid) * int64(size)
	default:
		return nil, 0, fmt.Errorf("account: %s is not a file or directory", path)
	}
	f, err = os.OpenFile(path, how|syscall.O_NOFOLLOW, 0o600)
	return f, at, err
}

func (r *Records) setLast(e Entry) error {
	if r.Lastlog == "" {
		return nil
	}
	f, at, err := r.openLast(e.User, e.UID, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	size, clock := lastSize(wide())
	b := make([]byte, size)
	if clock == 8 {
		binary.NativeEndian.PutUint64(b, uint64(e.Time.Unix()))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(e.Time.Unix()))
	}
	copy(b[clock:clock+lineSize], e.Line)
	copy(b[clock+lineSize:], e.Host)
	_, err = f.WriteAt(b, at)
	return err
}

// LastLogin is when the user last came, and where from. The zero time says
// that there was no such login.
func (r *Records) LastLogin(user string, uid uint32) (at time.Time, host string) {
	if r == nil || r.Lastlog == "" {
		return time.Time{}, ""
	}
	f, off, err := r.openLast(user, uid, os.O_RDONLY)
	if err != nil {
		return time.Time{}, ""
	}
	defer f.Close()
	size, clock := lastSize(wide())
	b := make([]byte, size)
	if _, err := f.ReadAt(b, off); err != nil {
		return time.Time{}, ""
	}
	var sec int64
	if clock == 8 {
		sec = int64(binary.NativeEndian.Uint64(b))
	} else {
		sec = int64(binary.NativeEndian.Uint32(b))
	}
	if sec == 0 {
		return time.Time{}, ""
	}
	return time.Unix(sec, 0), field(b[clock+lineSize:])
}

// ErrExcess says that a file of failed logins is open to too many: what people
// type in place of their name is often their password.
var ErrExcess = errors.New("Excess permission or bad ownership on file")

// Failed writes that somebody tried to log in as user and failed. The user's
// name is as it was typed.
func (r *Records) Failed(user, host string, addr netip.Addr, pid int, now time.Time) error {
	if r == nil || r.Btmp == "" {
		return nil
	}
	f, err := os.OpenFile(r.Btmp, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != 0 || st.Mode().Perm()&0o017 != 0 {
		return fmt.Errorf("%w %s", ErrExcess, r.Btmp)
	}
	return appendTo(f, &utmp{kind: loginProcess, pid: int32(pid), line: "ssh:notty", user: user, host: host, addr: addr, time: now})
}
