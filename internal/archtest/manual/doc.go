// Package manual writes the manual pages and the shell completion from the
// tables of keywords and flags: one row each makes the parser, the printed
// configuration, the paragraph of the manual and the word that a shell
// completes. What a row cannot say stands here, keyword by keyword.
//
// It must never be linked into a program: it is for `make gen` and tests.
package manual
