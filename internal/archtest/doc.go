// Package archtest keeps the house as ARCHITECTURE.md draws it: who may import
// whom, what a start may cost, that every decoder is fuzzed and every attack
// that is documented has its test. It holds tables and tests, no product code.
//
// The import law is the table in law.go. Each of its lines has a why, which is
// printed when the line is broken; a change of the house is a change of that
// table and of ARCHITECTURE.md together.
package archtest

//go:generate go run ./gen
