// Package listener is the main process of the server: its listening sockets, its
// signals, and the door.
//
// It accepts, asks the penalties, and hands the socket to a lobby; it counts who
// has not logged in yet and says who may leave the lobby. Everything that knows
// keys, accounts or packets is a [Generation] behind a link: the first when the
// server starts, a new one after each SIGHUP, if the new configuration is good,
// while the old one goes on with its connections. A generation does not need the
// listener: it ends with its last connection, whatever has become of this
// process.
//
// SIGHUP reads the configuration again; sockets that both configurations have
// stay open all the time. SIGTERM ends listening, and sessions go on. SIGUSR2
// starts a new version of the program in this process's place, with its sockets.
//
// Root never parses a packet: what comes over the links are addresses, numbers
// and short texts, with a limit each.
//
// Locks: Server.mu guards the door and the generations; it is not held while
// something is sent to a lobby or while a generation starts.
package listener
