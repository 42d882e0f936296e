// Package interop runs our client against every real server and our server
// against every real client that this machine has (package rig): each key
// exchange, each cipher with each MAC, each kind of host key and user key that
// both sides know, with a megabyte each way, a new key exchange in the middle,
// standard error and an exit status.
//
// What one side has and the other lacks stands in lacks.go with its reason; a
// gap that is not listed fails, and so does a line of the list that is not
// true any more.
package interop
