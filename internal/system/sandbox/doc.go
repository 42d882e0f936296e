// Package sandbox takes from a process what it does not need: system calls
// (seccomp), files and the network (Landlock), memory and descriptors (limits),
// being looked at by others (dumpable). What was taken cannot be had again.
//
// A [Filter] is a table: a row names a system call and what its arguments may
// be. Calls that open a file are answered with an error, because a library may
// try and live without; any other call that has no row ends the process, and
// its parent sees SIGSYS.
//
// Everything holds for all threads of the process, those that the runtime
// starts later too. Linux only; elsewhere [Supported] says so.
package sandbox
