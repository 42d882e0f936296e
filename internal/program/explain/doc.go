// Package explain is the program `nacre explain`: which line of which file set
// each value of a client's configuration, what it overrode, and which blocks did
// not apply and why. Its exit status is 0, 1 for a keyword that does not exist,
// 255 where there is no configuration.
//
// It must never know how a value is found: that is sshconfig's, which tells it
// step by step.
package explain
