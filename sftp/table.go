package sftp

// Version is the protocol's version, the only one spoken.
const Version = 3

// Packet types (draft-ietf-secsh-filexfer-02 §3).
const (
	fxpInit     = 1
	fxpVersion  = 2
	fxpOpen     = 3
	fxpClose    = 4
	fxpRead     = 5
	fxpWrite    = 6
	fxpLstat    = 7
	fxpFstat    = 8
	fxpSetstat  = 9
	fxpFsetstat = 10
	fxpOpendir  = 11
	fxpReaddir  = 12
	fxpRemove   = 13
	fxpMkdir    = 14
	fxpRmdir    = 15
	fxpRealpath = 16
	fxpStat     = 17
	fxpRename   = 18
	fxpReadlink = 19
	fxpSymlink  = 20

	fxpStatus = 101
	fxpHandle = 102
	fxpData   = 103
	fxpName   = 104
	fxpAttrs  = 105

	fxpExtended      = 200
	fxpExtendedReply = 201
)

// Op is a kind of request: a row of the table.
type Op uint8

// The requests. OpUnknown is a number or an extension that the table lacks.
const (
	OpUnknown Op = iota
	OpInit
	OpOpen
	OpClose
	OpRead
	OpWrite
	OpLstat
	OpFstat
	OpSetstat
	OpFsetstat
	OpOpendir
	OpReaddir
	OpRemove
	OpMkdir
	OpRmdir
	OpRealpath
	OpStat
	OpRename
	OpReadlink
	OpSymlink
	OpPosixRename
	OpStatVFS
	OpFstatVFS
	OpHardlink
	OpFsync
	OpLsetstat
	OpLimits
	OpExpandPath
	OpCopyData
	OpHomeDirectory
	OpUsersGroupsByID
	opCount
)

// field is one field of a request, and with it the member of Request that
// holds it.
type field uint8

const (
	fNone    field = iota
	fPath          // string, Path
	fTarget        // string, Target
	fHandle        // string, Handle
	fHandle2       // string, Handle2
	fOffset        // uint64, Offset
	fOffset2       // uint64, Offset2
	fLength        // uint64, Length
	fSize          // uint32, Length
	fFlags         // uint32, Flags
	fAttr          // ATTRS, Attr
	fData          // string, Data
	fUIDs          // string of uint32, UIDs
	fGIDs          // string of uint32, GIDs
)

// row is what there is to know of a request.
type row struct {
	number    byte
	name      string // OpenSSH's word for it, as in sftp-server -p
	extension string // the name on the wire of number 200
	version   string // what VERSION says of the extension
	writes    bool   // refused in read-only mode whatever it names
	answer    byte   // the type that answers it, beside STATUS
	fields    [5]field
}

// table has every request, in the order in which they are listed.
//
// SYMLINK has its arguments the other way round than the draft: OpenSSH's
// server did from the start, and every client has learned it.
var table = [opCount]row{
	OpInit:     {number: fxpInit, name: "init", answer: fxpVersion},
	OpOpen:     {number: fxpOpen, name: "open", answer: fxpHandle, fields: [5]field{fPath, fFlags, fAttr}},
	OpClose:    {number: fxpClose, name: "close", fields: [5]field{fHandle}},
	OpRead:     {number: fxpRead, name: "read", answer: fxpData, fields: [5]field{fHandle, fOffset, fSize}},
	OpWrite:    {number: fxpWrite, name: "write", writes: true, fields: [5]field{fHandle, fOffset, fData}},
	OpLstat:    {number: fxpLstat, name: "lstat", answer: fxpAttrs, fields: [5]field{fPath}},
	OpFstat:    {number: fxpFstat, name: "fstat", answer: fxpAttrs, fields: [5]field{fHandle}},
	OpSetstat:  {number: fxpSetstat, name: "setstat", writes: true, fields: [5]field{fPath, fAttr}},
	OpFsetstat: {number: fxpFsetstat, name: "fsetstat", writes: true, fields: [5]field{fHandle, fAttr}},
	OpOpendir:  {number: fxpOpendir, name: "opendir", answer: fxpHandle, fields: [5]field{fPath}},
	OpReaddir:  {number: fxpReaddir, name: "readdir", answer: fxpName, fields: [5]field{fHandle}},
	OpRemove:   {number: fxpRemove, name: "remove", writes: true, fields: [5]field{fPath}},
	OpMkdir:    {number: fxpMkdir, name: "mkdir", writes: true, fields: [5]field{fPath, fAttr}},
	OpRmdir:    {number: fxpRmdir, name: "rmdir", writes: true, fields: [5]field{fPath}},
	OpRealpath: {number: fxpRealpath, name: "realpath", answer: fxpName, fields: [5]field{fPath}},
	OpStat:     {number: fxpStat, name: "stat", answer: fxpAttrs, fields: [5]field{fPath}},
	OpRename:   {number: fxpRename, name: "rename", writes: true, fields: [5]field{fPath, fTarget}},
	OpReadlink: {number: fxpReadlink, name: "readlink", answer: fxpName, fields: [5]field{fPath}},
	OpSymlink:  {number: fxpSymlink, name: "symlink", writes: true, fields: [5]field{fTarget, fPath}},

	OpPosixRename:     {number: fxpExtended, name: "posix-rename", extension: "posix-rename@openssh.com", version: "1", writes: true, fields: [5]field{fPath, fTarget}},
	OpStatVFS:         {number: fxpExtended, name: "statvfs", extension: "statvfs@openssh.com", version: "2", answer: fxpExtendedReply, fields: [5]field{fPath}},
	OpFstatVFS:        {number: fxpExtended, name: "fstatvfs", extension: "fstatvfs@openssh.com", version: "2", answer: fxpExtendedReply, fields: [5]field{fHandle}},
	OpHardlink:        {number: fxpExtended, name: "hardlink", extension: "hardlink@openssh.com", version: "1", writes: true, fields: [5]field{fPath, fTarget}},
	OpFsync:           {number: fxpExtended, name: "fsync", extension: "fsync@openssh.com", version: "1", writes: true, fields: [5]field{fHandle}},
	OpLsetstat:        {number: fxpExtended, name: "lsetstat", extension: "lsetstat@openssh.com", version: "1", writes: true, fields: [5]field{fPath, fAttr}},
	OpLimits:          {number: fxpExtended, name: "limits", extension: "limits@openssh.com", version: "1", answer: fxpExtendedReply},
	OpExpandPath:      {number: fxpExtended, name: "expand-path", extension: "expand-path@openssh.com", version: "1", answer: fxpName, fields: [5]field{fPath}},
	OpCopyData:        {number: fxpExtended, name: "copy-data", extension: "copy-data", version: "1", writes: true, fields: [5]field{fHandle, fOffset, fLength, fHandle2, fOffset2}},
	OpHomeDirectory:   {number: fxpExtended, name: "home-directory", extension: "home-directory", version: "1", answer: fxpName, fields: [5]field{fPath}},
	OpUsersGroupsByID: {number: fxpExtended, name: "users-groups-by-id", extension: "users-groups-by-id@openssh.com", version: "1", answer: fxpExtendedReply, fields: [5]field{fUIDs, fGIDs}},
}

// Ops calls yield for every request that can be allowed or denied, in the
// order of `sftp-server -Q requests`.
func Ops(yield func(Op) bool) {
	for op := OpOpen; op < opCount; op++ {
		if !yield(op) {
			return
		}
	}
}

// ParseOp finds the request that OpenSSH calls name.
func ParseOp(name string) (Op, bool) {
	for op := OpOpen; op < opCount; op++ {
		if table[op].name == name {
			return op, true
		}
	}
	return OpUnknown, false
}

// String is OpenSSH's word for the request, as sftp-server's -p and -P take it.
func (op Op) String() string {
	if op > OpUnknown && op < opCount {
		return table[op].name
	}
	return "unknown"
}

// Writes tells whether the request changes something whatever it names; OPEN
// does so by its flags.
func (op Op) Writes() bool { return op < opCount && table[op].writes }

// Extension is the name on the wire and the version of a request that is an
// extension; empty for the others.
func (op Op) Extension() (name, version string) {
	if op >= opCount {
		return "", ""
	}
	return table[op].extension, table[op].version
}

// OpSet is a set of requests.
type OpSet uint64

// With is the set with op in it.
func (s OpSet) With(op Op) OpSet { return s | 1<<op }

// Has tells whether op is in the set.
func (s OpSet) Has(op Op) bool { return s&(1<<op) != 0 }

// opOf finds the request with a number or, for number 200, a name.
func opOf(number byte, extension []byte) Op {
	for op := OpInit; op < opCount; op++ {
		if r := &table[op]; r.number == number && r.extension == string(extension) {
			return op
		}
	}
	return OpUnknown
}
