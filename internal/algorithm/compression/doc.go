// Package compression is floor 1: compression of payloads (RFC 4253 §6.2), for
// zlib and zlib@openssh.com, which differ only in when they begin.
//
// A direction is one zlib stream (RFC 1950, RFC 1951) from first packet to
// last. Every packet ends with a flush, so that its payload comes out whole at
// the other end, and the stream itself never ends: who ends it is at fault.
//
// Deflating is the library's. Inflating is this package's own: the inflaters
// at hand read from a stream that they may wait for, and hold back what
// arrived before the partial flush of other implementations.
//
// It must never know what a packet is, whether compression was negotiated, or
// where bytes come from. It does no I/O, and it decides nothing about secrets
// and lengths: whether to compress at all is for those who know what is sent.
package compression
