// Package penalty decides who may come in: sources that misbehaved are refused
// for a while (PerSourcePenalties), those who have not logged in yet are counted
// in all (MaxStartups) and by source (PerSourceMaxStartups).
//
// A source is an address or the network around it (PerSourceNetBlockSize). What
// counts is the address of the socket: no text of a peer and no pattern is in
// the path of a decision, so nobody can have another refused. [Gate] is the door,
// [Table] the memory for offenders; both have OpenSSH's lines for the log, and
// its arithmetic. The clock is handed in, and nothing here opens a file: who
// wants the table to last writes down what [Table.Snapshot] returns.
//
// Neither type is safe for concurrent use.
package penalty
