package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits on the wire. The first three are what limits@openssh.com tells.
const (
	MaxPacket = 256 << 10        // bytes of a packet, the length word not counted
	MaxRead   = MaxPacket - 1024 // bytes that one READ gives; a longer one is cut
	MaxWrite  = MaxPacket - 1024 // bytes of one WRITE that a client sends
	MaxPath   = 4095             // bytes of a path: PATH_MAX without its NUL
	MaxHandle = 256              // bytes of a handle (draft §6.3)
)

// Errors of decoding, for errors.Is. Those of package wire are the others.
var (
	ErrPath   = errors.New("sftp: path is too long or holds a NUL byte")
	ErrHandle = errors.New("sftp: handle is too long")
	ErrIDs    = errors.New("sftp: ids are not whole uint32s")
)

// OpenFlags are the pflags of OPEN (draft §6.3).
type OpenFlags uint32

// Flags of OPEN.
const (
	OpenRead     OpenFlags = 1 << iota
	OpenWrite              // writing; without either, reading
	OpenAppend             // every write goes to the end
	OpenCreate             // make the file if there is none
	OpenTruncate           // empty the file
	OpenExcl               // with OpenCreate: fail if there is one
)

// openNames are the words of sftp-server's log, in the order of the bits.
var openNames = [...]string{"READ", "WRITE", "APPEND", "CREATE", "TRUNCATE", "EXCL"}

// String is the flags in the words of sftp-server's log.
func (f OpenFlags) String() string {
	var b []byte
	for i, name := range openNames {
		if f&(1<<i) != 0 {
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, name...)
		}
	}
	return string(b)
}

// writes tells whether opening so can change something.
func (f OpenFlags) writes() bool { return f&(OpenWrite|OpenCreate|OpenTruncate) != 0 }

// Request is one request of either side's. Which fields it has, the table
// says; those it has not are not looked at.
type Request struct {
	Op Op
	ID uint32 // of INIT the version

	Path   string // what is asked about; of RENAME and hardlink the old name; of home-directory the user
	Target string // of RENAME and hardlink the new name; of SYMLINK what the link says

	Handle, Handle2  []byte // of copy-data where it is read from, and written to
	Offset, Offset2  uint64
	Length           uint64 // bytes; of copy-data 0 means to the end
	Flags            OpenFlags
	Attr             Attr
	Data, UIDs, GIDs []byte // UIDs and GIDs are uint32s in network order

	// Of OpUnknown: the packet's type and the extension's name.
	Number    byte
	Extension string
}

// Append appends the whole packet, its length word included.
func (q *Request) Append(b []byte) []byte {
	start := len(b)
	r := &table[q.Op]
	b = append(b, 0, 0, 0, 0, r.number)
	b = wire.AppendUint32(b, q.ID)
	if r.number == fxpExtended {
		b = wire.AppendText(b, r.extension)
	}
	for _, f := range r.fields {
		switch f {
		case fNone:
		case fPath:
			b = wire.AppendText(b, q.Path)
		case fTarget:
			b = wire.AppendText(b, q.Target)
		case fHandle:
			b = wire.AppendString(b, q.Handle)
		case fHandle2:
			b = wire.AppendString(b, q.Handle2)
		case fOffset:
			b = wire.AppendUint64(b, q.Offset)
		case fOffset2:
			b = wire.AppendUint64(b, q.Offset2)
		case fLength:
			b = wire.AppendUint64(b, q.Length)
		case fSize:
			b = wire.AppendUint32(b, uint32(q.Length))
		case fFlags:
			b = wire.AppendUint32(b, uint32(q.Flags))
		case fAttr:
			b = q.Attr.Append(b)
		case fData:
			b = wire.AppendString(b, q.Data)
		case fUIDs:
			b = wire.AppendString(b, q.UIDs)
		case fGIDs:
			b = wire.AppendString(b, q.GIDs)
		}
	}
	return setLength(b, start)
}

// setLength writes the length word of the packet that begins at start.
func setLength(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// Decode reads the packet p, from its type on. Byte slices alias p; bytes
// behind the last field are passed over, as OpenSSH does. Op and ID are set
// as soon as they are known, whatever comes after them.
func (q *Request) Decode(p []byte) error {
	*q = Request{}
	r := wire.NewReader(p)
	err := q.decode(&r)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return fmt.Errorf("sftp: %s: %w", q.Op, err)
	}
	return nil
}

func (q *Request) decode(r *wire.Reader) error {
	q.Number = r.Byte()
	q.ID = r.Uint32()
	var extension []byte
	if q.Number == fxpExtended {
		extension = r.String()
	}
	if r.Err() != nil {
		return nil
	}
	if q.Op = opOf(q.Number, extension); q.Op == OpUnknown {
		q.Extension = string(extension)
		return nil
	}
	for _, f := range table[q.Op].fields {
		switch f {
		case fNone:
		case fPath:
			if s := r.String(); !goodPath(s) {
				return ErrPath
			} else {
				q.Path = string(s)
			}
		case fTarget:
			if s := r.String(); !goodPath(s) {
				return ErrPath
			} else {
				q.Target = string(s)
			}
		case fHandle:
			q.Handle = r.String()
		case fHandle2:
			q.Handle2 = r.String()
		case fOffset:
			q.Offset = r.Uint64()
		case fOffset2:
			q.Offset2 = r.Uint64()
		case fLength:
			q.Length = r.Uint64()
		case fSize:
			q.Length = uint64(r.Uint32())
		case fFlags:
			q.Flags = OpenFlags(r.Uint32())
		case fAttr:
			q.Attr.decode(r)
		case fData:
			q.Data = r.String()
		case fUIDs:
			q.UIDs = r.String()
		case fGIDs:
			q.GIDs = r.String()
		}
	}
	if len(q.Handle) > MaxHandle || len(q.Handle2) > MaxHandle {
		return ErrHandle
	}
	if len(q.UIDs)%4 != 0 || len(q.GIDs)%4 != 0 {
		return ErrIDs
	}
	return nil
}

func goodPath(s []byte) bool {
	if len(s) > MaxPath {
		return false
	}
	for _, c := range s {
		if c == 0 {
			return false
		}
	}
	return true
}
