//go:build !linux

package sftpserver

func untraceable() {}
