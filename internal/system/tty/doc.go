// Package tty is the client's side of a terminal: raw mode and the way back,
// the window's size, the encoded terminal modes of RFC 4254 §8, and secrets
// read from /dev/tty without echo.
//
// One table per system (modes_*.go) says which opcode is which setting; it
// serves both directions, [State.Modes] and [Apply].
//
// It must never know what is typed or why: no protocol, no configuration, no
// policy about who may be asked. It starts no goroutine that outlives a call,
// but the one of [OnResize], which ends with its stop function.
package tty
