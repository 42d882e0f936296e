// Package login is the process between a login and the user's program: what is
// decided about a session becomes a Plan, a Plan becomes a Command, and the
// process that the Command starts takes on the user's identity, does what the
// plan says and becomes the program. It never stays behind.
//
// The process is this binary under another word. Its plan comes by descriptor,
// never by argument or environment, and what it has to tell the administrator
// goes back by another one, until the user's program takes its place. Called by
// hand it has the rights of who called it, and nothing else.
//
// The ids are taken on by a process that has read nothing from a stranger, on
// all of its threads, and it checks that there is no way back before it looks
// at anything that is the user's.
//
// Whoever decides (packages auth and monitor) imports this package, so it must
// never know a packet of the protocol.
package login
