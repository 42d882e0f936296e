// Package otp checks one-time codes: those of RFC 4226 and RFC 6238, and the
// scratch codes, of a file as google-authenticator(1) writes it and
// pam_google_authenticator reads it, so that both may use it in turn.
//
// The file holds the secret in base 32 on its first line, options on lines that
// begin with a double quote and a blank, and scratch codes of eight digits:
//
//	ABCDEFGHIJKLMNOP
//	" RATE_LIMIT 3 30 1445412300
//	" WINDOW_SIZE 3
//	" DISALLOW_REUSE 48180410
//	" TOTP_AUTH
//	12345678
//
// A check changes it: codes that were used, attempts that were made. The caller
// writes what [Check] returns before it believes in the code; whoever cannot
// write it lets nobody in.
//
// It must never know where the file is, or whose.
package otp
