package sftp

import (
	"strconv"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// AttrFlags say which fields of Attr are there (draft §5).
type AttrFlags uint32

// Flags of ATTRS.
const (
	AttrSize        AttrFlags = 0x00000001
	AttrUIDGID      AttrFlags = 0x00000002
	AttrPermissions AttrFlags = 0x00000004
	AttrACModTime   AttrFlags = 0x00000008
	AttrExtended    AttrFlags = 0x80000000 // read and passed over, never sent

	// AttrAll is what a file system tells of a file.
	AttrAll = AttrSize | AttrUIDGID | AttrPermissions | AttrACModTime
)

// Attr is what the protocol knows of a file. Mode has the bits of POSIX's
// st_mode, the type of the file with them; times are seconds since 1970.
type Attr struct {
	Flags        AttrFlags
	Size         uint64
	UID, GID     uint32
	Mode         uint32
	ATime, MTime uint32
}

// The types in Attr.Mode.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000
)

// Append appends ATTRS.
func (a *Attr) Append(b []byte) []byte {
	flags := a.Flags & AttrAll
	b = wire.AppendUint32(b, uint32(flags))
	if flags&AttrSize != 0 {
		b = wire.AppendUint64(b, a.Size)
	}
	if flags&AttrUIDGID != 0 {
		b = wire.AppendUint32(wire.AppendUint32(b, a.UID), a.GID)
	}
	if flags&AttrPermissions != 0 {
		b = wire.AppendUint32(b, a.Mode)
	}
	if flags&AttrACModTime != 0 {
		b = wire.AppendUint32(wire.AppendUint32(b, a.ATime), a.MTime)
	}
	return b
}

func (a *Attr) decode(r *wire.Reader) {
	*a = Attr{Flags: AttrFlags(r.Uint32())}
	if a.Flags&AttrSize != 0 {
		a.Size = r.Uint64()
	}
	if a.Flags&AttrUIDGID != 0 {
		a.UID, a.GID = r.Uint32(), r.Uint32()
	}
	if a.Flags&AttrPermissions != 0 {
		a.Mode = r.Uint32()
	}
	if a.Flags&AttrACModTime != 0 {
		a.ATime, a.MTime = r.Uint32(), r.Uint32()
	}
	if a.Flags&AttrExtended != 0 {
		// Each pair takes bytes, so the message bounds the count.
		for n := r.Uint32(); n > 0 && r.Err() == nil; n-- {
			r.String()
			r.String()
		}
		a.Flags &^= AttrExtended
	}
}

// AppendLongname appends the line that `ls -l` has for the file, as OpenSSH
// writes it: links may be "?" where nobody knows, user and group are names or
// numbers. now decides whether the time or the year is shown, and in which
// zone.
func AppendLongname(b []byte, name string, a *Attr, links, user, group string, now time.Time) []byte {
	b = appendMode(b, a.Mode)
	b = append(b, ' ', ' ')
	b = appendPadded(b, links, -3)
	b = append(b, ' ')
	b = appendPadded(b, user, 8)
	b = append(b, ' ')
	b = appendPadded(b, group, 8)
	b = append(b, ' ')
	b = appendPadded(b, strconv.FormatUint(a.Size, 10), -8)
	b = append(b, ' ')
	const halfYear = 365 * 24 * 60 * 60 / 2
	t := time.Unix(int64(a.MTime), 0).In(now.Location())
	layout := "Jan _2  2006"
	if n := now.Unix(); n-halfYear < int64(a.MTime) && n >= int64(a.MTime) {
		layout = "Jan _2 15:04"
	}
	b = t.AppendFormat(b, layout)
	b = append(b, ' ')
	return append(b, name...)
}

// appendPadded appends s, padded to width columns; on its left when negative.
func appendPadded(b []byte, s string, width int) []byte {
	if width < 0 {
		for i := len(s); i < -width; i++ {
			b = append(b, ' ')
		}
	}
	b = append(b, s...)
	for i := len(s); i < width; i++ {
		b = append(b, ' ')
	}
	return b
}

// appendMode is strmode(3), without the blank at its end.
func appendMode(b []byte, mode uint32) []byte {
	kind := byte('?')
	switch mode & ModeType {
	case ModeDir:
		kind = 'd'
	case ModeChar:
		kind = 'c'
	case ModeBlock:
		kind = 'b'
	case ModeRegular:
		kind = '-'
	case ModeSymlink:
		kind = 'l'
	case ModeSocket:
		kind = 's'
	case ModeFIFO:
		kind = 'p'
	}
	b = append(b, kind)
	for i := range 3 { // user, group, others
		bits := mode >> (6 - 3*i)
		b = append(b, "-r"[bits>>2&1], "-w"[bits>>1&1])
		special, letter := mode>>(11-i)&1, "sst"[i]
		switch x := bits & 1; {
		case special == 0:
			b = append(b, "-x"[x])
		case x == 0:
			b = append(b, letter-'a'+'A')
		default:
			b = append(b, letter)
		}
	}
	return b
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
