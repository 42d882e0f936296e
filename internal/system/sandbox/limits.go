package sandbox

// Limits bound a process that serves strangers.
type Limits struct {
	Memory uint64 // bytes of writable memory; 0 leaves it
	Files  uint64 // descriptors; 0 leaves it
	// NoLandlock does without Landlock where the kernel has none. Without
	// seccomp nothing goes.
	NoLandlock bool
}
