// Package server proves what guides say about running an SSH server: their
// configurations, word for word, served by ours and tried with the stock
// clients, in a machine of its own (package world). A file a chapter, a test a
// row.
package server
