//go:build !linux

package rig

import (
	"errors"
	"os/exec"
)

// Private reports that this process is in a mount namespace of the rig's own;
// this system has none.
func Private() bool { return false }

// GoPrivate does nothing here.
func GoPrivate() {}

func bind(from, to string) error { return errors.New("rig: no bind mounts on this system") }

func unbind(string) {}

func dieWithUs(*exec.Cmd) {}

func stopGroup(cmd *exec.Cmd) { cmd.Process.Kill() }

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
