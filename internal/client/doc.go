// Package client is what the program ssh does around a connection, in pieces
// that scp, sftp, sshfs and autossh use too: destinations, dialling and proxy
// commands, the host key question and its policy, prompts and askpass, the
// order of identities, escape characters, the log that -v turns on.
//
// Words that scripts compare are those of OpenSSH. Text of a peer reaches a
// terminal only through [Logger] or [Visible], which show control characters
// as escapes.
//
// It must never know a command line or a program's exit status: those are
// program/ssh's. Locks: Logger.mu alone, held while one line is written.
package client
