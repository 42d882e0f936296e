// Package sftpserver is the server of files as sshd(8) and sftp-server(8) know
// it: the words of its command line, its log, and a session over the files of
// this process. The program sftp-server and the login process of
// `internal-sftp` both call Parse and Serve.
//
// Serve changes what belongs to the whole process, the umask and the working
// directory: it is for a process that has become the user and does nothing
// else. It must never know how the user logged in.
package sftpserver
