// Package sftpserver is the program sftp-server: files over standard input and
// output, as sftp-server(8). What it does is in internal/sshd/sftpserver, which
// sshd's internal-sftp shares; this is the process around it.
package sftpserver
