// Package version holds the one number of a release and the sentences made
// from it. It must never know a protocol.
package version

import "runtime"

// Number is this release's version.
const Number = "0.1.0"

// Compatible is the OpenSSH release whose command lines, files and defaults
// this release follows.
const Compatible = "OpenSSH_10.5p1"

// Identification is the softwareversion and comments part of our
// identification line (RFC 4253 §4.2), what stands after "SSH-2.0-". Stock
// peers send eow@openssh.com and no-more-sessions@openssh.com to names that
// begin with "OpenSSH", which is why ours does.
const Identification = "OpenSSH_compatible_nacre_" + Number

// Line is what -V prints, without the newline. Scripts look for
// `OpenSSH_([0-9]+)\.` in it. vector names the vector unit that the
// ChaCha20 in use was written for ("avx512"), "" for the portable one.
func Line(vector string) string {
	s := Compatible + " compatible, nacre " + Number + ", " + runtime.Version()
	if vector != "" {
		s += ", ChaCha20 " + vector
	}
	return s
}
