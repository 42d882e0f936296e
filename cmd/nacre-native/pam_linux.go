package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/nacre-ssh/nacre/internal/sshd/native"
	"golang.org/x/sys/unix"
)

// Numbers of security/_pam_types.h on Linux.
const (
	itemUser  = 2
	itemTTY   = 3
	itemRHost = 4

	credEstablish       = 0x2
	credDelete          = 0x4
	changeExpired       = 0x20
	silent              = 0x8000
	maxMessages         = 32
	maxVariables        = 1024
	responseSize        = 2 * unsafe.Sizeof(uintptr(0))
	bufErr        int32 = 5
)

// authInfo is the variable that tells modules how the user has proved to be
// one.
const authInfo = "SSH_AUTH_INFO_0"

// library is libpam.
type library struct {
	start        func(service, user string, conv *conversation, handle *uintptr) int32
	end          func(handle uintptr, status int32) int32
	setItem      func(handle uintptr, item int32, value string) int32
	getItem      func(handle uintptr, item int32, value *uintptr) int32
	putenv       func(handle uintptr, nameValue string) int32
	getenvlist   func(handle uintptr) uintptr
	authenticate func(handle uintptr, flags int32) int32
	acctMgmt     func(handle uintptr, flags int32) int32
	chauthtok    func(handle uintptr, flags int32) int32
	setcred      func(handle uintptr, flags int32) int32
	openSession  func(handle uintptr, flags int32) int32
	closeSession func(handle uintptr, flags int32) int32
	strerror     func(handle uintptr, code int32) uintptr
}

func openPAM() (*library, error) {
	h, err := open("libpam.so.0", "libpam.so")
	if err != nil {
		return nil, err
	}
	l := &library{}
	return l, bind(h, map[string]any{
		"pam_start": &l.start, "pam_end": &l.end, "pam_set_item": &l.setItem, "pam_get_item": &l.getItem,
		"pam_putenv": &l.putenv, "pam_getenvlist": &l.getenvlist, "pam_authenticate": &l.authenticate,
		"pam_acct_mgmt": &l.acctMgmt, "pam_chauthtok": &l.chauthtok, "pam_setcred": &l.setcred,
		"pam_open_session": &l.openSession, "pam_close_session": &l.closeSession, "pam_strerror": &l.strerror,
	})
}

// conversation is struct pam_conv.
type conversation struct{ function, data uintptr }

// way is how questions of modules are answered.
type way int

const (
	refuse   way = iota // not at all
	store               // prompts are not, texts are kept
	password            // prompts without echo by the password, texts are kept
	dialogue            // by the person
)

// transaction is one PAM handle.
type transaction struct {
	c      *native.Conn
	libc   *libc
	lib    *library
	conv   *conversation
	handle uintptr
	user   string

	way      way
	password string
	texts    []string // kept since the question began
	gone     bool     // the monitor is

	established, opened bool
	last                int32
	gid                 int // of the process, before Identity
	groups              []int

	children sync.WaitGroup
}

// servePAM answers questions until the monitor is gone, then closes what is
// open.
func servePAM(c *native.Conn) int {
	t := &transaction{c: c}
	defer t.close()
	for !t.gone {
		m, err := c.Receive()
		if err != nil {
			return 0
		}
		r := t.answer(m)
		for _, f := range m.Files {
			f.Close()
		}
		r.Kind = native.Result
		if c.Send(r) != nil {
			return 0
		}
	}
	return 0
}

func broken(format string, args ...any) *native.Message {
	return &native.Message{Code: native.Broken, Text: fmt.Sprintf(format, args...)}
}

// answer does what the monitor asks for.
func (t *transaction) answer(m *native.Message) *native.Message {
	if m.Kind == native.Start {
		return t.start(m)
	}
	if t.handle == 0 {
		return broken("not started")
	}
	t.texts = nil
	switch m.Kind {
	case native.Authenticate:
		return t.authenticate(m)
	case native.Account:
		t.setInfo(m.Text)
		if t.way = store; m.Code == 1 {
			t.way = dialogue
		}
		return t.result(t.lib.acctMgmt(t.handle, 0))
	case native.ChangeToken:
		t.way = dialogue
		return t.result(t.lib.chauthtok(t.handle, changeExpired))
	case native.Establish:
		t.way = store
		code := t.lib.setcred(t.handle, credEstablish)
		t.established = t.established || code == native.Success
		return t.result(code)
	case native.Open:
		t.setInfo(m.Text)
		t.way = store
		code := t.lib.openSession(t.handle, 0)
		t.opened = t.opened || code == native.Success
		return t.result(code)
	case native.Identity:
		return t.identity(m)
	case native.Environment:
		return &native.Message{List: t.environment()}
	case native.Spawn:
		return t.spawn(m)
	case native.Close:
		t.close()
		return &native.Message{}
	}
	return broken("unknown question %d", m.Kind)
}

// result is a code with its text, and what modules have told.
func (t *transaction) result(code int32) *native.Message {
	t.last = code
	t.way = refuse
	return &native.Message{Code: code, Text: t.strerror(code), List: t.texts}
}

func (t *transaction) strerror(code int32) string { return text(t.lib.strerror(t.handle, code)) }

func (t *transaction) start(m *native.Message) *native.Message {
	if t.handle != 0 || len(m.List) < 4 {
		return broken("started before, or malformed")
	}
	var err error
	if t.libc, err = openLibc(); err != nil {
		return broken("%v", err)
	}
	if t.lib, err = openPAM(); err != nil {
		return broken("%v", err)
	}
	t.conv = &conversation{function: purego.NewCallback(t.converse)}
	t.user, t.way = m.List[1], store
	if code := t.lib.start(m.List[0], t.user, t.conv, &t.handle); code != native.Success {
		t.handle = 0
		return &native.Message{Code: code, Text: "pam_start failed"}
	}
	for _, i := range [...]struct {
		item  int32
		value string
	}{{itemRHost, m.List[2]}, {itemTTY, m.List[3]}} {
		if i.value != "" {
			if code := t.lib.setItem(t.handle, i.item, i.value); code != native.Success {
				return t.result(code)
			}
		}
	}
	for _, kv := range m.List[4:] {
		if code := t.lib.putenv(t.handle, kv); code != native.Success {
			return t.result(code)
		}
	}
	return t.result(native.Success)
}

func (t *transaction) setInfo(info string) { t.lib.putenv(t.handle, authInfo+"="+info) }

func (t *transaction) authenticate(m *native.Message) *native.Message {
	t.setInfo(m.Text)
	t.way = dialogue
	if len(m.List) > 0 {
		t.way, t.password = password, m.List[0]
	}
	code := t.lib.authenticate(t.handle, m.Code)
	t.password = ""
	if code == native.Success {
		// A module may have made somebody else of the user.
		var name uintptr
		if t.lib.getItem(t.handle, itemUser, &name) != native.Success || text(name) != t.user {
			r := t.result(native.AuthErr)
			r.Text = fmt.Sprintf("PAM user \"%s\" does not match previous \"%s\"", text(name), t.user)
			r.More = 1
			return r
		}
	}
	return t.result(code)
}

// converse is the conversation function: pam_conv(3). C calls it on the first
// thread, while that waits in one of our calls.
func (t *transaction) converse(n int32, messages, responses, _ uintptr) uintptr {
	if n < 1 || n > maxMessages || t.way == refuse {
		return uintptr(native.ConvErr)
	}
	out := t.libc.calloc(uintptr(n), responseSize)
	if out == 0 {
		return uintptr(bufErr)
	}
	for i := range int(n) {
		m := *word(messages, i)
		style, what := *(*int32)(pointer(m)), text(*word(m, 1))
		answer, ok := t.reply(style, what)
		if !ok {
			for j := range i {
				t.libc.free(*word(out, 2*j))
			}
			t.libc.free(out)
			return uintptr(native.ConvErr)
		}
		if style == native.EchoOff || style == native.EchoOn {
			*word(out, 2*i) = t.libc.strdup(answer)
		}
	}
	*word(responses, 0) = out
	return native.Success
}

// reply answers one message of a module.
func (t *transaction) reply(style int32, what string) (answer string, ok bool) {
	switch {
	case style < native.EchoOff || style > native.Info:
		return "", false
	case t.way == dialogue:
		if t.gone || t.c.Send(&native.Message{Kind: native.Prompt, Code: style, Text: what}) != nil {
			return "", false
		}
		m, err := t.c.Receive()
		if err != nil {
			t.gone = true
			return "", false
		}
		return m.Text, m.Kind == native.Answer && m.Code == 0
	case style == native.Error || style == native.Info:
		if what != "" && len(t.texts) < maxMessages {
			t.texts = append(t.texts, what)
		}
		return "", true
	case t.way == password && style == native.EchoOff:
		return t.password, true
	}
	return "", false
}

// environment is the process's own variables, in which modules may have set
// some, and then those of PAM.
func (t *transaction) environment() (list []string) {
	if sym, err := purego.Dlsym(t.libc.handle, "environ"); err == nil {
		list = texts(*word(sym, 0), maxVariables)
	}
	own := t.lib.getenvlist(t.handle)
	list = append(list, texts(own, maxVariables)...)
	for i := 0; own != 0 && *word(own, i) != 0; i++ {
		t.libc.free(*word(own, i))
	}
	if own != 0 {
		t.libc.free(own)
	}
	size := 0
	for i, kv := range list {
		if size += len(kv) + 4; size > native.MaxMessage/2 {
			return list[:i]
		}
	}
	return list
}

// identity gives this thread the user's groups, and modules the chance to add
// to them: what is started from here on has them. The number stays root's.
func (t *transaction) identity(m *native.Message) *native.Message {
	if t.groups == nil {
		t.gid = unix.Getgid()
		t.groups, _ = unix.Getgroups()
	}
	gid := uint32(m.Code)
	groups := make([]uint32, 0, len(m.List))
	for _, s := range m.List {
		var g uint32
		if _, err := fmt.Sscan(s, &g); err != nil {
			return broken("group %q", s)
		}
		groups = append(groups, g)
	}
	if err := takeGroups(gid, groups); err != nil {
		return broken("%v", err)
	}
	t.way = store
	return t.result(t.lib.setcred(t.handle, credEstablish))
}

// takeGroups changes the groups of this thread alone.
func takeGroups(gid uint32, groups []uint32) error {
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); errno != 0 {
		return os.NewSyscallError("setresgid", errno)
	}
	list := append(make([]uint32, 0, len(groups)+1), groups...)
	list = append(list, gid) // so that there is a first one
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	return nil
}

// spawn starts a program of the session, from this thread.
func (t *transaction) spawn(m *native.Message) *native.Message {
	var argc int
	if len(m.List) < 2 {
		return broken("malformed")
	}
	if _, err := fmt.Sscan(m.List[1], &argc); err != nil || argc < 1 || argc > len(m.List)-2 {
		return broken("malformed")
	}
	sys := &syscall.SysProcAttr{Setsid: true}
	if m.Code == 1 {
		sys.Setctty, sys.Ctty = true, 0
	}
	p, err := os.StartProcess(m.Text, m.List[2:2+argc], &os.ProcAttr{
		Dir: m.List[0], Env: append([]string{}, m.List[2+argc:]...), Files: m.Files, Sys: sys,
	})
	if err != nil {
		return broken("%v", err)
	}
	go func() {
		st, err := p.Wait()
		r := &native.Message{Kind: native.Exited, Code: int32(p.Pid), More: 255 << 8}
		if err == nil {
			if ws, ok := st.Sys().(syscall.WaitStatus); ok {
				r.More = int32(ws)
			}
		}
		_ = t.c.Send(r)
	}()
	return &native.Message{Code: int32(p.Pid)}
}

// close ends the session and the transaction.
func (t *transaction) close() {
	if t.handle == 0 {
		return
	}
	if t.groups != nil {
		groups := make([]uint32, len(t.groups))
		for i, g := range t.groups {
			groups[i] = uint32(g)
		}
		_ = takeGroups(uint32(t.gid), groups)
	}
	t.way = refuse
	if t.opened {
		t.last = t.lib.closeSession(t.handle, silent)
	}
	if t.established {
		t.last = t.lib.setcred(t.handle, credDelete)
	}
	t.lib.end(t.handle, t.last)
	t.handle, t.opened, t.established = 0, false, false
}
