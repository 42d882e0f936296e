//go:build unix

package client

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// dialog writes a dialog program and returns a prompter that uses it.
func dialog(t *testing.T, script string, env ...string) *Prompter {
	t.Helper()
	file := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"SSH_ASKPASS": file, "SSH_ASKPASS_REQUIRE": "force"}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		vars[k] = v
	}
	return &Prompter{Getenv: func(k string) string { return vars[k] }, Environ: os.Environ()}
}

func TestAskpass(t *testing.T) {
	for _, c := range []struct {
		script, want string
		ok           bool
	}{
		{`echo "$1"`, "Q: ", true},
		{"printf 'two\\nlines'", "two", true},
		{"printf 'cr\\r\\n'", "cr", true},
		{"echo x; exit 1", "", false},
		{"true", "", true},
		{`echo "hint $SSH_ASKPASS_PROMPT"`, "hint confirm", true},
		{"head -c 5000 /dev/zero | tr '\\0' y", strings.Repeat("y", MaxAnswer), true},
	} {
		flags := AskFlags(0)
		if strings.Contains(c.script, "hint") {
			flags = AskPermission
		}
		got, ok := dialog(t, c.script).Ask(t.Context(), "Q: ", flags)
		if ok != c.ok || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q, %v", c.script, got, ok, c.want, c.ok)
		}
	}
	p := dialog(t, "")
	p.Getenv = func(k string) string {
		return map[string]string{"SSH_ASKPASS": "/nonexistent", "SSH_ASKPASS_REQUIRE": "force"}[k]
	}
	if _, ok := p.Ask(t.Context(), "Q: ", 0); ok {
		t.Error("a missing dialog program answered")
	}
}

// TestAskpassModes needs a process without a terminal: it runs itself again in
// a session of its own.
func TestAskpassModes(t *testing.T) {
	if os.Getenv("CLIENT_TEST_DETACHED") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAskpassModes$")
		cmd.Env = append(os.Environ(), "CLIENT_TEST_DETACHED=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, c := range []struct {
		require, display string
		flags            AskFlags
		used             bool
	}{
		{"", "", 0, false}, {"", ":0", 0, true}, {"never", ":0", 0, false}, {"prefer", "", 0, false},
		{"prefer", ":0", 0, true}, {"FORCE", "", 0, true}, {"force", "", AskDialog, true}, {"", ":0", AskDialog, true},
		{"", "", AskDialog, false}, {"", ":0", AskStdin, true}, {"never", "", AskStdin, false},
	} {
		p := dialog(t, "echo dialog", "SSH_ASKPASS_REQUIRE="+c.require, "DISPLAY="+c.display)
		got, ok := p.Ask(t.Context(), "Q", c.flags)
		if used := ok && string(got) == "dialog"; used != c.used {
			t.Errorf("SSH_ASKPASS_REQUIRE=%s DISPLAY=%s flags %d: dialog used %v, want %v", c.require, c.display, c.flags, used, c.used)
		}
	}
}

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"yes": true, "YES": true, "  yes  ": true, "no": false, "No": false, "": false, "SHA256:abc": true} {
		if got := dialog(t, "echo '"+answer+"'").Confirm(t.Context(), "Q", "again", "SHA256:abc"); got != want {
			t.Errorf("answer %q: %v", answer, got)
		}
	}
	// Anything else is asked again, with the other text.
	p := dialog(t, `case "$1" in again) echo yes;; *) echo maybe;; esac`)
	if !p.Confirm(t.Context(), "Q", "again", "") {
		t.Error("was not asked again")
	}
	if dialog(t, "exit 1").Confirm(t.Context(), "Q", "again", "") {
		t.Error("no answer is a yes")
	}
}
