// Package wire is floor 0: the data types of RFC 4251 §5, the message numbers
// of RFC 4250 §4.1 and the structs of every message whose fields are fixed.
//
// It knows bytes and nothing else: no I/O, no keys, no state, no locks. A
// [Reader] carries the first error it meets, so a decoder is a straight list
// of fields with one check at its end. Nothing here allocates in proportion to
// a length that was merely claimed: every length is compared with the bytes
// that are there.
package wire
