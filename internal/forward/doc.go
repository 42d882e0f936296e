// Package forward is floor 4, TCP/IP forwarding of RFC 4254 §7 and what people
// use it for: the messages of direct-tcpip, forwarded-tcpip, tcpip-forward and
// cancel-tcpip-forward, the copy between a channel and a stream that keeps the
// end of each direction, a SOCKS server, the rules of what may be forwarded,
// and the server's half of it all.
//
// A [Relay] moves bytes without a copy in our code: from the stream straight
// into packets, from the connection's buffer straight into the stream, and only
// what a full stream does not take waits in the channel's ring.
//
// The package connects, resolves and listens to nothing: [Server] is handed the
// functions that do, which may well be another process with the rights of the
// user. It knows neither a configuration nor a command line.
//
// Locks: Server.mu and Relay.mu are leaves; no call is made under them.
package forward
