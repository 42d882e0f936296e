package pty

import (
	"fmt"
	"os"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/tty"
)

// Pty is a pseudo-terminal pair.
type Pty struct {
	// Master is our end. Whoever reads and writes it may close it; doing so
	// hangs up the programs on the other end.
	Master *os.File
	// Slave is the terminal. Start closes it: as long as we hold it, the
	// master never ends.
	Slave *os.File
	// Name is the terminal's path, "/dev/pts/3".
	Name string

	rc syscall.RawConn // of Master: fails, and does no harm, once it is closed
}

// Open makes a pair. The terminal has the system's default modes and no size.
func Open() (*Pty, error) {
	p, err := open()
	if err != nil {
		return nil, fmt.Errorf("pty: open: %w", err)
	}
	if p.rc, err = p.Master.SyscallConn(); err != nil {
		p.Close()
		return nil, fmt.Errorf("pty: open: %w", err)
	}
	return p, nil
}

// Close closes both ends, as far as they are open.
func (p *Pty) Close() error {
	p.Slave.Close()
	return p.Master.Close()
}

// Start runs the program path with arguments argv on the terminal: its three
// descriptors are the terminal, behind them extra, it leads a new session and its foreground
// process group, and the terminal controls it. attr.Files is set here;
// attr.Sys, where given, is kept but for what this needs. The slave is closed
// when Start returns, whatever it returns.
func (p *Pty) Start(path string, argv []string, attr *os.ProcAttr, extra ...*os.File) (*os.Process, error) {
	defer p.Slave.Close()
	a := *attr
	a.Files = append([]*os.File{p.Slave, p.Slave, p.Slave}, extra...)
	a.Sys = leader(attr.Sys)
	return os.StartProcess(path, argv, &a)
}

// SetSize sets the window's size, each number cut to what a terminal can have;
// the foreground process group is told by SIGWINCH.
func (p *Pty) SetSize(s tty.Size) error {
	return p.control(func(fd int) error { return tty.SetSize(fd, s) })
}

// Size reads the window's size.
func (p *Pty) Size() (s tty.Size, err error) {
	err = p.control(func(fd int) error { s, err = tty.GetSize(fd); return err })
	return s, err
}

// Apply sets what the encoded modes of a pty-req say on the terminal, before
// a program is started on it, and returns the opcodes that this system has no
// setting for.
func (p *Pty) Apply(modes []byte) (unknown []byte, err error) {
	rc, err := p.Slave.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := rc.Control(func(fd uintptr) { unknown, err = tty.Apply(int(fd), modes) }); e != nil {
		err = e
	}
	return unknown, err
}

// Break sends a break: what a serial line has and a pseudo-terminal ignores,
// or refuses, as its system does.
func (p *Pty) Break() error { return p.control(tty.SendBreak) }

// Modes tells whether the terminal takes input by lines, and whether it echoes
// it: without echo in line mode somebody types a secret.
func (p *Pty) Modes() (lines, echo bool, err error) {
	err = p.control(func(fd int) error { lines, echo, err = modes(fd); return err })
	return lines, echo, err
}

func (p *Pty) control(f func(fd int) error) (err error) {
	if e := p.rc.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}
