// Package rawio is floor 1: reads and writes on sockets, pipes and terminals
// without an allocation per call and, where the system allows it, without a
// wait.
//
// [Conn] wraps a transport connection, [File] one end of a pipe, a terminal, a
// socket or an inherited standard descriptor. On Linux both speak to the
// descriptor itself through syscall.RawConn: one readv or writev moves many
// packets, and a goroutine with nothing to do is parked in Go's poller and
// holds no buffer. Everywhere else, and for connections that have no
// descriptor, the same types fall back to the portable Read and Write; what
// cannot be had there (TryWrite, TryReadv) then says "full" or "nothing", which
// every caller must be ready for anyway.
//
// Each type has one lock for reading and one for writing. A Try method that
// finds the lock taken reports "nothing" or "full" instead of waiting for it.
// No lock is held while another one is taken.
//
// The package knows descriptors and nothing of SSH. It never calls
// (*os.File).Fd, which would switch the descriptor to blocking, and never sets
// O_NONBLOCK on a description it shares with another process.
package rawio
