// Package sftp is floor 4: the SSH File Transfer Protocol, version 3
// (draft-ietf-secsh-filexfer-02), with the extensions of OpenSSH: a codec that
// both sides share, and a Server over any FS.
//
// One table (table.go) says of every request its number or name, its fields,
// whether it writes, and what answers it; Request.Append, Request.Decode, the
// server's permissions and the list of `sftp-server -Q requests` follow from
// it.
//
// The server works over any stream: a channel of package ssh, a pipe, a
// net.Conn. It runs in the goroutine that calls Serve, one request after the
// other, and puts many answers into one write. Payloads are not copied: a file
// is read straight into the answer, and what arrives of a WRITE goes straight
// to the file, in pieces when the packet has not arrived whole. One more
// goroutine exists while the stream does not take what it is given; it writes,
// and the session goes on until pendingBuffers are full. The lock of output
// guards the buffers between the two, and no other is ever taken with it.
//
// Everything is bounded: a packet by MaxPacket, a path by MaxPath, handles by
// Server.MaxHandles, what waits to be written by pendingBuffers.
//
// It must never know files, processes or clocks: internal/system/files has
// the real ones.
package sftp
