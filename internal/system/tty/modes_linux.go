package tty

import "golang.org/x/sys/unix"

// vdisable is the control character that is none.
const vdisable = 0

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
	{12, char, unix.VREPRINT},
	{13, char, unix.VWERASE},
	{14, char, unix.VLNEXT},
	{18, char, unix.VDISCARD},

	{30, iflag, unix.IGNPAR},
	{31, iflag, unix.PARMRK},
	{32, iflag, unix.INPCK},
	{33, iflag, unix.ISTRIP},
	{34, iflag, unix.INLCR},
	{35, iflag, unix.IGNCR},
	{36, iflag, unix.ICRNL},
	{37, iflag, unix.IUCLC},
	{38, iflag, unix.IXON},
	{39, iflag, unix.IXANY},
	{40, iflag, unix.IXOFF},
	{41, iflag, unix.IMAXBEL},
	{42, iflag, unix.IUTF8},

	{50, lflag, unix.ISIG},
	{51, lflag, unix.ICANON},
	{52, lflag, unix.XCASE},
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
	{71, oflag, unix.OLCUC},
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
	// The forms with speeds in numbers.
	ioctlGet      = unix.TCGETS2
	ioctlSet      = unix.TCSETS2
	ioctlSetDrain = unix.TCSETSW2
	ioctlSetFlush = unix.TCSETSF2

	rawClear = unix.IUCLC // input flags that raw mode clears besides the common ones
)

func (s *State) setSpeeds(in, out uint32) {
	if in == s.t.Ispeed && out == s.t.Ospeed || out == 0 {
		return
	}
	if in == 0 {
		in = out
	}
	// BOTHER: the numbers count, not the old codes.
	s.t.Cflag = s.t.Cflag&^(unix.CBAUD|unix.CIBAUD) | unix.BOTHER | unix.BOTHER<<16
	s.t.Ispeed, s.t.Ospeed = in, out
}
