// Package log writes the server's lines in OpenSSH's words and shape, to where
// the administrator looks for them: the system's log, standard error, a file,
// the journal, each as text or as JSON.
//
// A line belongs to a connection or to the program itself; what stands where
// syslog has a process number says which, because readers of logs put lines
// together by it. Text of strangers reaches no sink unescaped, no line is
// longer than MaxLine, and a sink that does not take its lines delays nobody
// for longer than a moment.
//
// A room that can open nothing has a Logger whose lines go to a function; the
// room on the other end writes them with Relay, which trusts nothing of them.
//
// Locks: Logger.mu guards the sinks and is held while one line is written; no
// other lock is taken under it.
package log
