// Package doctor is the program `nacre doctor`: it goes to a host the way ssh
// would, asks nobody anything, and says at each step what is well, what is not
// and what to do next. Its exit status is 0 when all is well, 1 with findings,
// 255 where it could not begin.
//
// It must never ask a person, send a password, or take a host key that is not
// known.
package doctor
