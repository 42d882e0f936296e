// Package auth decides who gets in. It is root's judgement: the monitor asks
// it about one connection after the other, and what it says is final.
//
// A [Host] is what the connections of one configuration share, a [Visitor] one
// connection: it meets the user's name once, hears of keys, passwords and
// dialogues, counts the methods that succeeded against AuthenticationMethods
// and at the end turns into a [Login]. All outcomes are logged here, in
// OpenSSH's words and at its levels, because other programs read them.
//
// Whoever may not log in is treated as whoever may: the same questions, the
// same work, the same answers (AUT-10, AUT-11); only the log tells them apart.
//
// What users own (authorized_keys, principals, .shosts, one-time codes) is
// opened with their rights on a thread that ends with the question, never with
// root's. Commands of the configuration run as the account it names.
//
// A Visitor's methods may be called by several goroutines; they take turns.
// The only lock is Visitor.mu; nothing is called with it held that could come
// back here.
//
// It must never know how a packet looks.
package auth
