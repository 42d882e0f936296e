// Package lobby is where every accepted connection waits until it has shown to
// be an SSH client's: an identification of at most 255 bytes and a well-formed
// KEXINIT, within the time for logging in. Until then it is a struct, a
// descriptor and a deadline, so that one who says nothing costs about a
// kilobyte and neither a process nor a goroutine.
//
// Places are shared out by source. A source that has more strangers here than
// its share loses its oldest; when all places are taken the busiest source loses
// its oldest, so a source that has none here yet is never refused.
//
// A stranger that has shown its KEXINIT leaves, if the listener agrees, with all
// that was said: see transport.Start. No key exists yet and no secret moves.
//
// The lobby is a network room: in a process of its own it is locked up as every
// other, and knows neither files nor accounts.
//
// Locks: Lobby.mu guards everything; it is not held during calls to the
// listener.
package lobby
