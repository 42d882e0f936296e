package main

// vector names the ChaCha20 in use for -V.
func vector() string { return "" }
