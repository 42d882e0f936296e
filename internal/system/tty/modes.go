//go:build linux || darwin || freebsd || openbsd

package tty

import "encoding/binary"

// Opcodes of encoded terminal modes that are not in the table (RFC 4254 §8).
const (
	opEnd    = 0
	opISpeed = 128
	opOSpeed = 129

	// opNoArgument is the first opcode whose arguments nobody knows: it and
	// all above end the list.
	opNoArgument = 160
)

// Disabled is what the protocol says for a control character that is turned
// off (RFC 4254 §8).
const Disabled = 255

// MaxModes is the number of bytes of encoded modes that Apply looks at: each
// opcode once, with room for repetitions.
const MaxModes = 8 << 10

// field is the part of a termios that a row of the table speaks of.
type field byte

const (
	char field = iota // Cc[value] is the argument
	iflag
	oflag
	cflag
	lflag
)

// mode is one row: opcode op is the control character or the flag bits value
// of a field.
type mode struct {
	op    byte
	field field
	value uint32
}

// appendModes encodes the settings that t answers for: speeds first, output
// before input as OpenSSH does, then the table's rows in its order, then the
// end.
func appendModes(b []byte, t settings) []byte {
	in, out := t.speeds()
	b = binary.BigEndian.AppendUint32(append(b, opOSpeed), out)
	b = binary.BigEndian.AppendUint32(append(b, opISpeed), in)
	for _, m := range modes {
		if m.field != char && m.value == 0 {
			continue // this system has no such flag
		}
		var v uint32
		if m.field == char {
			v = uint32(t.char(int(m.value)))
			if v == vdisable {
				v = Disabled
			}
		} else if t.flags(m.field)&m.value != 0 {
			v = 1
		}
		b = binary.BigEndian.AppendUint32(append(b, m.op), v)
	}
	return append(b, opEnd)
}

// applyModes sets what the encoded modes b say and returns the opcodes that
// this system has no setting for. Reading ends at opcode 0, at one whose
// arguments are not known (160 and above), or where an argument is cut off.
func applyModes(t settings, b []byte) (unknown []byte) {
	b = b[:min(len(b), MaxModes)]
	in, out := t.speeds()
	for len(b) >= 5 && b[0] != opEnd && b[0] < opNoArgument {
		op, v := b[0], binary.BigEndian.Uint32(b[1:])
		b = b[5:]
		switch op {
		case opISpeed:
			in = v
			continue
		case opOSpeed:
			out = v
			continue
		}
		m := lookup(op)
		switch {
		case m == nil:
			unknown = append(unknown, op)
		case m.field == char:
			c := byte(v)
			if v == Disabled {
				c = vdisable
			}
			t.setChar(int(m.value), c)
		default:
			t.setFlags(m.field, m.value, v != 0)
		}
	}
	t.setSpeeds(in, out)
	return unknown
}

func lookup(op byte) *mode {
	for i := range modes {
		if modes[i].op == op && (modes[i].field == char || modes[i].value != 0) {
			return &modes[i]
		}
	}
	return nil
}

// settings is what the two functions above need of a termios; its integer
// types differ between systems.
type settings interface {
	char(i int) byte
	setChar(i int, c byte)
	flags(f field) uint32
	setFlags(f field, bits uint32, on bool)
	speeds() (in, out uint32)
	setSpeeds(in, out uint32)
}
