// Package native is what the monitor and nacre-native say to each other.
// nacre-native is the program that calls the system's C libraries: PAM, one
// process for each connection, and crypt(3), one process for each question.
//
// They are joined by a socket that keeps messages apart (SOCK_SEQPACKET), the
// helper's descriptor 3. The monitor asks and the helper answers, one question
// at a time; while it authenticates, the helper puts the modules' questions
// between. Only [Exited] comes unasked. When the socket ends the helper closes
// PAM's session and exits.
//
//	Start        service, user, address, tty, variables   → Result
//	Authenticate flags, SSH_AUTH_INFO_0 [, password]      → (Prompt → Answer)* Result
//	Account      SSH_AUTH_INFO_0                          → (Prompt → Answer)* Result
//	ChangeToken                                           → (Prompt → Answer)* Result
//	Establish                                             → Result
//	Open         SSH_AUTH_INFO_0                          → Result
//	Identity     group, groups                            → Result
//	Environment                                           → Result with the variables
//	Spawn        a program, with descriptors              → Result with its number, later Exited
//	Close                                                 → Result
//	Crypt        hash, password                           → Result
//
// It must never know what a password is good for.
package native
