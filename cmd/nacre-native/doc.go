// Command nacre-native calls the system's C libraries for nacre: PAM and
// crypt(3). It is a child of the monitor, speaks with it over descriptor 3 in
// the words of internal/sshd/native, and is nothing for people.
//
//	nacre-native pam      one PAM transaction: authenticates a connection's user,
//	                      opens the session, starts the programs, closes it
//	nacre-native crypt    checks one password
//
// Everything happens on the process's first thread, because loginuid, limits,
// umask, keyring and groups are its, and what it starts inherits them.
package main
