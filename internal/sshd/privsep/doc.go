// Package privsep is what the rooms of the server say to each other: one table
// of messages, with who may send which, when and how often.
//
// [Table] is the only list. A row names a message, the link it travels on, its
// direction, the states of a connection in which it is taken, how often it may
// come and how many descriptors go with it. [Guard] judges by it; [Conn] carries
// messages over a SOCK_SEQPACKET socket with descriptors beside them, or between
// two goroutines of one process, with the same bytes.
//
// There are four kinds of links. A control link joins a monitor and a room for as
// long as both live: the room gets its settings and then connections. A
// connection link joins them for one connection: the room asks, the monitor
// answers. The listener has a link to each monitor and one to each lobby. What
// is not in the table, or not now, ends the link and with it the
// connection.
//
// Every message is read as if an enemy had written it, in both directions: each
// field has a limit, nothing is allocated ahead of bytes that came, and bytes
// behind the last field are an error. Descriptors that come with a message that
// may not have any are closed.
//
// The package decides nothing about people: it knows no account, key, file or
// configuration.
//
// Locks: Conn.mu guards the calls that wait; Conn.out orders what is sent.
// Neither is held while the other is taken.
package privsep
