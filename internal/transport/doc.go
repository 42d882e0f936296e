// Package transport is floor 2, the transport layer protocol of RFC 4253:
// identification, binary packets, key exchange and re-exchange, with strict
// key exchange, EXT_INFO (RFC 8308) and ping@openssh.com.
//
// A [Conn] is two halves. The in half belongs to one goroutine, the reader:
// one large buffer is filled from the stream, packets are opened in place and
// handed up as slices of it, and only when no whole packet is left is the next
// read made. The out half is shared under its mutex: whoever seals appends to
// one batch in sequence order, and whoever finds nobody writing writes what
// has gathered, in one call. The reader alone never waits in a write: it tries
// once and leaves the rest to a writer goroutine that ends when the batch is
// empty, so two peers with full sockets cannot wait for each other.
//
// A key exchange needs no goroutine of its own. It starts when either side's
// KEXINIT is sent; from then until our NEWKEYS other senders wait. When the
// peer's KEXINIT arrives the reader runs the exchange to its end, since nothing
// else may arrive meanwhile.
//
// The package knows no socket, file, clock or log: the stream, the clock, the
// signer of host keys and the trace function are given to it.
//
// Locks: out.mu is the only one. Nothing is called with it held but a packet
// cipher, a compressor and the stream's TryWrite.
package transport
