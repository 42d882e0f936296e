package main

import "github.com/nacre-ssh/nacre/internal/algorithm/cipher"

// vector names the ChaCha20 in use, for -V.
func vector() string { return cipher.Vector() }
