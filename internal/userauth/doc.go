// Package userauth is the authentication protocol of RFC 4252 with the methods
// none, publickey (also host-bound), password, keyboard-interactive (RFC 4256)
// and hostbased, for both roles.
//
// [Serve] and [Authenticate] are straight lines over a packet stream: read one
// message, decide, answer. No goroutine, no lock, no clock of its own, and
// never a read ahead: what a client sent behind the request that let it in is
// still unread when Serve returns, so that it is judged as what it then is.
// One file per method holds that method's messages and both its sides.
//
// # Rules of the server
//
//   - A message of 80 and above before success, and every message that only a
//     server sends, ends the connection with code 2 (verdict.go is the table).
//   - A request is decoded to its end before anybody looks at the account.
//   - Permissions come from the key whose signature was verified in that same
//     request; several methods give the strictest union.
//   - A method whose callback is nil does not exist. The zero [ServerConfig]
//     lets nobody in.
//   - What fails is padded: to OpenSSH's minimum for each user, and for
//     passwords and keyboard-interactive to a grid of 50 ms.
//
// # Rules of the client
//
//   - Success counts only as the answer to a request that is waiting for one.
//   - A signature is made only for the key and algorithm that were offered.
//   - Everything a server may send again and again has a number.
//
// It must never know files, processes, accounts, agents, prompts or sockets:
// those are functions in the two configurations. Text that came from the peer
// is handed on raw; whoever shows it escapes it.
package userauth
