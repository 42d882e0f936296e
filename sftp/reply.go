package sftp

import (
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// ReplyKind is the type of an answer (draft §3).
type ReplyKind byte

// Types of answers.
const (
	ReplyVersion  ReplyKind = fxpVersion
	ReplyStatus   ReplyKind = fxpStatus
	ReplyHandle   ReplyKind = fxpHandle
	ReplyData     ReplyKind = fxpData
	ReplyName     ReplyKind = fxpName
	ReplyAttrs    ReplyKind = fxpAttrs
	ReplyExtended ReplyKind = fxpExtendedReply
)

// ErrReply says that a packet is no answer.
var ErrReply = errors.New("sftp: not an answer")

// Extension is a pair of VERSION.
type Extension struct{ Name, Version string }

// Entry is a name with what is known of it.
type Entry struct {
	Name     string
	Longname string // the line of `ls -l`
	Attr     Attr
}

// minEntry is the smallest size of an entry on the wire.
const minEntry = 12

// Reply is one answer. Which fields it has, its kind says.
type Reply struct {
	Kind ReplyKind
	ID   uint32 // of VERSION the version

	Extensions []Extension // VERSION
	Status     Status      // STATUS
	Message    string      // STATUS
	Handle     []byte      // HANDLE
	Data       []byte      // DATA
	Names      []Entry     // NAME
	Attr       Attr        // ATTRS
	Body       []byte      // EXTENDED_REPLY: Limits, VFS or IDNames
}

// Append appends the whole packet, its length word included.
func (p *Reply) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(p.Kind))
	b = wire.AppendUint32(b, p.ID)
	switch p.Kind {
	case ReplyVersion:
		for _, e := range p.Extensions {
			b = wire.AppendText(wire.AppendText(b, e.Name), e.Version)
		}
	case ReplyStatus:
		b = wire.AppendUint32(b, uint32(p.Status))
		b = wire.AppendText(b, p.Message)
		b = wire.AppendText(b, "") // language
	case ReplyHandle:
		b = wire.AppendString(b, p.Handle)
	case ReplyData:
		b = wire.AppendString(b, p.Data)
	case ReplyName:
		b = wire.AppendUint32(b, uint32(len(p.Names)))
		for i := range p.Names {
			b = p.Names[i].append(b)
		}
	case ReplyAttrs:
		b = p.Attr.Append(b)
	case ReplyExtended:
		b = append(b, p.Body...)
	}
	return setLength(b, start)
}

func (e *Entry) append(b []byte) []byte {
	b = wire.AppendText(b, e.Name)
	b = wire.AppendText(b, e.Longname)
	return e.Attr.Append(b)
}

// Decode reads the packet b, from its type on. Byte slices alias it. The text
// of a STATUS may be missing, as old servers leave it out.
func (p *Reply) Decode(b []byte) error {
	*p = Reply{}
	r := wire.NewReader(b)
	p.Kind = ReplyKind(r.Byte())
	p.ID = r.Uint32()
	switch p.Kind {
	case ReplyVersion:
		for r.Err() == nil && r.Len() > 0 {
			e := Extension{Name: r.Text(), Version: r.Text()}
			if r.Err() == nil {
				p.Extensions = append(p.Extensions, e)
			}
		}
	case ReplyStatus:
		p.Status = Status(r.Uint32())
		if r.Len() > 0 {
			p.Message = r.Text()
		}
	case ReplyHandle:
		if p.Handle = r.String(); len(p.Handle) > MaxHandle {
			return ErrHandle
		}
	case ReplyData:
		p.Data = r.String()
	case ReplyName:
		n := r.Uint32()
		if uint64(n)*minEntry > uint64(r.Len()) {
			return fmt.Errorf("sftp: name: %w", wire.ErrShort)
		}
		p.Names = make([]Entry, 0, n)
		for ; n > 0 && r.Err() == nil; n-- {
			e := Entry{Name: r.Name(), Longname: r.Text()}
			e.Attr.decode(&r)
			p.Names = append(p.Names, e)
		}
	case ReplyAttrs:
		p.Attr.decode(&r)
	case ReplyExtended:
		p.Body = r.Rest()
	default:
		return ErrReply
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("sftp: answer of type %d: %w", p.Kind, err)
	}
	return nil
}

// Limits is the body that answers limits@openssh.com.
type Limits struct {
	Packet, Read, Write, Handles uint64 // bytes; Handles 0 is unknown
}

// Append appends the body.
func (l *Limits) Append(b []byte) []byte {
	for _, v := range [...]uint64{l.Packet, l.Read, l.Write, l.Handles} {
		b = wire.AppendUint64(b, v)
	}
	return b
}

// Decode reads the body.
func (l *Limits) Decode(body []byte) error {
	r := wire.NewReader(body)
	*l = Limits{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
	if err := r.Err(); err != nil {
		return fmt.Errorf("sftp: limits: %w", err)
	}
	return nil
}

// VFS is the body that answers statvfs@openssh.com and fstatvfs@openssh.com,
// in the words of statvfs(3).
type VFS struct {
	BlockSize, FragmentSize      uint64 // bytes
	Blocks, BlocksFree, BlocksAv uint64 // of FragmentSize
	Files, FilesFree, FilesAv    uint64 // inodes
	ID                           uint64
	Flags                        uint64 // VFSReadOnly, VFSNoSUID
	NameMax                      uint64 // bytes
}

// Flags of VFS.
const (
	VFSReadOnly = 1
	VFSNoSUID   = 2
)

// Append appends the body.
func (v *VFS) Append(b []byte) []byte {
	for _, x := range [...]uint64{v.BlockSize, v.FragmentSize, v.Blocks, v.BlocksFree, v.BlocksAv, v.Files, v.FilesFree, v.FilesAv, v.ID, v.Flags, v.NameMax} {
		b = wire.AppendUint64(b, x)
	}
	return b
}

// Decode reads the body.
func (v *VFS) Decode(body []byte) error {
	r := wire.NewReader(body)
	for _, x := range [...]*uint64{&v.BlockSize, &v.FragmentSize, &v.Blocks, &v.BlocksFree, &v.BlocksAv, &v.Files, &v.FilesFree, &v.FilesAv, &v.ID, &v.Flags, &v.NameMax} {
		*x = r.Uint64()
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("sftp: statvfs: %w", err)
	}
	return nil
}

// IDNames is the body that answers users-groups-by-id@openssh.com: a name for
// each id that was asked for, "" for one that has none.
type IDNames struct{ Users, Groups []string }

// Append appends the body.
func (n *IDNames) Append(b []byte) []byte {
	for _, list := range [...][]string{n.Users, n.Groups} {
		start := len(b)
		b = append(b, 0, 0, 0, 0)
		for _, s := range list {
			b = wire.AppendText(b, s)
		}
		b = setLength(b, start)
	}
	return b
}

// Decode reads the body.
func (n *IDNames) Decode(body []byte) error {
	r := wire.NewReader(body)
	for _, list := range [...]*[]string{&n.Users, &n.Groups} {
		*list = nil
		names := wire.NewReader(r.String())
		for names.Len() > 0 {
			if s := names.Name(); names.Err() == nil {
				*list = append(*list, s)
			}
		}
		if err := names.Err(); err != nil {
			return fmt.Errorf("sftp: users-groups-by-id: %w", err)
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("sftp: users-groups-by-id: %w", err)
	}
	return nil
}
