// Package sshconfig reads ssh_config(5) and sshd_config(5) as OpenSSH does:
// every keyword, Host and Match blocks, Include, lists that change a default,
// tokens; and prints the result as `ssh -G` and `sshd -T` do.
//
// Each side is one table of keywords, a row each: name, type with its
// default and its field in [Client] or [Server], merge rule, and a sentence
// for the manual. Everything else in the package works on that table.
//
// Parsers take bytes; files come in through [Files], and whatever else a
// configuration may ask of the world (variables, users, services, commands to
// run for Match exec) through functions in [ClientContext] and
// [ServerContext]. The package keeps no state of its own, starts no process
// and opens no socket. It does not know what an algorithm is: names and
// defaults come from the caller, see [Algorithms].
//
// Errors are *[ConfigError]: lines for the user in OpenSSH's words.
package sshconfig
