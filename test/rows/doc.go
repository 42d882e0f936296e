// Package rows proves what people write down about SSH: command lines and
// configurations as they stand in guides, run against real peers. A file a
// chapter, a test a row; each row is tried with our client against the stock
// server and ours where both ends have a part in it.
//
// Everything runs in a mount namespace with an account of its own (package
// rig). It must never need the network.
package rows
