// Package files is the real file system as package sftp wants it: what
// sftp-server serves.
//
// A Tree gives what the process may reach, with the process's own rights,
// working directory, root and umask: whoever starts it has become the user
// before, and is within the ChrootDirectory. It opens nothing ahead and keeps
// no descriptor but those of files that are open, so nothing leads out of such
// a root (SFT-13).
//
// Errors are sftp.StatusErrors with OpenSSH's codes for each errno. Renaming
// that must not replace is one system call where there is one. Names are
// looked up without regard to what they mean: the kernel decides.
//
// It must never know packets. A Tree has no lock: it serves one session.
package files
