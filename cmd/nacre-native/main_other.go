//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "nacre-native: there is nothing for it to do on this system")
	os.Exit(1)
}
