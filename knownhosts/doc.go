// Package knownhosts reads and writes known_hosts files as OpenSSH does, see
// sshd(8): plain, hashed and wildcard names, negation, [host]:port,
// @cert-authority and @revoked; it checks host keys against them, learns and
// removes keys, and hashes names, with comments and order kept.
//
// [Parse] and the methods of [File] work on bytes and touch nothing; [Open],
// [Add], [Update], [Rewrite] work on files. [Hosts] is several files
// together; its Check method is what a client gives to its connection.
//
// The grammar is narrow on purpose: blanks are space and tab, a line has at
// most one marker out of two, the key's type must be the one named, and a
// line that is too long or holds a NUL is passed over whole. A bad line
// never hides another, and a revoked key never becomes valid.
//
// The package does not ask the user anything and does not know what a
// connection is; whether an unknown key is taken is its caller's decision.
package knownhosts
