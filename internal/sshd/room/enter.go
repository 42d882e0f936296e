package room

// Options say how a room of strangers is locked up.
type Options struct {
	UID, GID uint32 // of the account that owns nothing; never 0
	Root     string // an empty folder of root's: see EmptyRoot
	Memory   uint64 // bytes of writable memory; 0 for DefaultMemory
	Files    uint64 // descriptors; 0 for DefaultFiles
	// WithoutLandlock goes on where the kernel has no Landlock: the named way to
	// run with less.
	WithoutLandlock bool
}

// Limits of a room that serves one connection.
const (
	DefaultMemory = 1 << 30
	DefaultFiles  = 1024
)
