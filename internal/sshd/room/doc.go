// Package room starts the processes that the server consists of, and locks up
// those that talk to strangers.
//
// Every room is this binary again, started from a descriptor of the running
// file, so that an upgrade on disk cannot mix two versions. Its first argument is
// a word that names its role; whoever writes that word by hand gets a process
// with no links to anybody. Descriptors are handed on by number, from [FirstFile]
// on. The long argv[0] is what ps shows.
//
// A room of strangers calls [Enter] before it has read a byte: another account,
// an empty root, no privileges, no files, a short list of system calls; and it
// tries the way back, which must be closed.
package room
