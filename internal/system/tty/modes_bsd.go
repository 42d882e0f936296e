//go:build darwin || freebsd || openbsd

package tty

import "golang.org/x/sys/unix"

// vdisable is the control character that is none.
const vdisable = 0xff

// modes is the one table of opcodes and settings, in the order in which
// OpenSSH encodes them. CS7 and CS8 are bits, not values, there too.
var modes = [...]mode{
	{1, char, unix.VINTR},
	{2, char, unix.VQUIT},
	{3, char, unix.VERASE},
	{4, char, unix.VKILL},
	{5, char, unix.VEOF},
	{6, char, unix.VEOL},
	{7, char, unix.VEOL2},
	{8, char, unix.VSTART},
	{9, char, unix.VSTOP},
	{10, char, unix.VSUSP},
	{11, char, unix.VDSUSP},
	{12, char, unix.VREPRINT},
	{13, char, unix.VWERASE},
	{14, char, unix.VLNEXT},
	{17, char, unix.VSTATUS},
	{18, char, unix.VDISCARD},

	{30, iflag, unix.IGNPAR},
	{31, iflag, unix.PARMRK},
	{32, iflag, unix.INPCK},
	{33, iflag, unix.ISTRIP},
	{34, iflag, unix.INLCR},
	{35, iflag, unix.IGNCR},
	{36, iflag, unix.ICRNL},
	{38, iflag, unix.IXON},
	{39, iflag, unix.IXANY},
	{40, iflag, unix.IXOFF},
	{41, iflag, unix.IMAXBEL},
	{42, iflag, iutf8},

	{50, lflag, unix.ISIG},
	{51, lflag, unix.ICANON},
	{53, lflag, unix.ECHO},
	{54, lflag, unix.ECHOE},
	{55, lflag, unix.ECHOK},
	{56, lflag, unix.ECHONL},
	{57, lflag, unix.NOFLSH},
	{58, lflag, unix.TOSTOP},
	{59, lflag, unix.IEXTEN},
	{60, lflag, unix.ECHOCTL},
	{61, lflag, unix.ECHOKE},
	{62, lflag, unix.PENDIN},

	{70, oflag, unix.OPOST},
	{72, oflag, unix.ONLCR},
	{73, oflag, unix.OCRNL},
	{74, oflag, unix.ONOCR},
	{75, oflag, unix.ONLRET},

	{90, cflag, unix.CS7},
	{91, cflag, unix.CS8},
	{92, cflag, unix.PARENB},
	{93, cflag, unix.PARODD},
}

const (
	ioctlGet      = unix.TIOCGETA
	ioctlSet      = unix.TIOCSETA
	ioctlSetDrain = unix.TIOCSETAW
	ioctlSetFlush = unix.TIOCSETAF

	rawClear = 0
)

func (s *State) setSpeeds(in, out uint32) {
	if out == 0 {
		return
	}
	if in == 0 {
		in = out
	}
	setNumber(&s.t.Ispeed, in)
	setNumber(&s.t.Ospeed, out)
}

func setNumber[T int32 | uint32 | uint64](p *T, v uint32) { *p = T(v) }
