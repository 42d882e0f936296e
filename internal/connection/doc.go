// Package connection is floor 3, the connection protocol of RFC 4254 §4 and
// §5: global requests and channels with their windows.
//
// A [Mux] is driven by the transport's reader: [Mux.Dispatch] takes each
// message, [Mux.Drain] delivers what a read brought before its buffer is used
// again. Both never wait. Data goes to a channel's [Sink] in place, many
// packets in one call; only what a full sink leaves over is copied, once, into
// the channel's ring, from where a pump goroutine brings it to the sink, or
// Read to a caller. A ring never outgrows the window that was granted.
//
// Callbacks that the reader makes (open, global and channel requests) must not
// wait either; they may answer later, from any goroutine.
//
// The package knows no session, no forward, no descriptor: those are the floor
// above, and sinks and sources are given.
//
// Locks: Mux.mu, then Channel.mu; the transport's own is innermost. None is
// held over a call of a sink's Write, of a source, or of a callback.
package connection
