// Package sftpserver is the program sftp-server, and internal-sftp: files over
// standard input and output, as sftp-server(8). What it does is in
// internal/sshd/sftpserver; this is the process around it.
package sftpserver
