//go:build darwin || freebsd || openbsd

package pty

import "github.com/creack/pty"

func open() (*Pty, error) {
	m, s, err := pty.Open()
	if err != nil {
		return nil, err
	}
	return &Pty{Master: m, Slave: s, Name: s.Name()}, nil
}
