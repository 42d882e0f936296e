// Package dist tests what is laid down beside the program: units, packages.
// Packages are installed, upgraded and removed in an overlay of this machine, of
// which nothing is left.
package dist
