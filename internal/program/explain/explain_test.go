package explain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
)

// run gives what the program writes; $D stands for the folder of the files.
func run(t *testing.T, files map[string]string, args ...string) (out, errs string, code int) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "$D", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$D", dir)
	}
	o, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	e, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	code = Main(t.Context(), stdio.Stdio{In: in, Out: o, Err: e, Env: os.Environ(), Name: "explain"}, args)
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.ReplaceAll(strings.ReplaceAll(string(data), dir, "$D"), "\r\n", "\n")
	}
	return read("stdout"), read("stderr"), code
}

func TestExplain(t *testing.T) {
	files := map[string]string{
		"config": `Host other
  Port 23
Match originalhost web user bob
  User carol
Host web !x
  HostName 127.0.0.1
  Port 2222
  User ann
Match exec "false"
  Port 99
Host else
  Include $D/more
Host *
  Port 22
`,
		"more": "Compression yes\n",
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-F", "$D/config", "web", "port"}, `Port 2222
    set by $D/config line 7 (Host web !x): Port 2222
    not from $D/config line 2 (Host other): Port 23
        no pattern matches the host "web"
    not from $D/config line 10 (Match exec "false"): Port 99
        "exec false" fails: the command did not end with status 0
    overrides $D/config line 14 (Host *): Port 22
`},
		{[]string{"-F", "$D/config", "-p", "17", "ann@web", "PORT", "user", "Compression"}, `Port 17
    set by the command line: Port=17
    not from $D/config line 2 (Host other): Port 23
        no pattern matches the host "web"
    overrides $D/config line 7 (Host web !x): Port 2222
    not from $D/config line 10 (Match exec "false"): Port 99
        "exec false" fails: the command did not end with status 0
    overrides $D/config line 14 (Host *): Port 22
User ann
    set by the command line: User=ann
    not from $D/config line 4 (Match originalhost web user bob): User carol
        "user bob" fails: it is "ann"
    overrides $D/config line 8 (Host web !x): User ann
Compression no
    the default: no line that applies sets it
    not from $D/more line 1: Compression yes
        the file is included at $D/config line 12, where no pattern matches the host "web"
`},
	} {
		out, errs, code := run(t, files, c.args...)
		if out != c.want || errs != "" || code != 0 {
			t.Errorf("%q: status %d, %s\n%s\nwant\n%s", c.args, code, errs, out, c.want)
		}
	}
	out, _, code := run(t, files, "-F", "$D/config", "web")
	for _, want := range []string{"Hostname 127.0.0.1\n    set by $D/config line 6 (Host web !x): HostName 127.0.0.1\n",
		"Blocks that do not apply:\n$D/config line 1: Host other\n    no pattern matches the host \"web\"\n"} {
		if !strings.Contains(out, want) || code != 0 {
			t.Errorf("status %d, %s\nlacks\n%s", code, out, want)
		}
	}
}

func TestExplainErrors(t *testing.T) {
	for _, c := range []struct {
		config string
		args   []string
		errs   string
		code   int
	}{
		{"", nil, "usage: nacre explain", 255},
		{"", []string{"-F", "$D/config", "web", "compr"}, "compr: no such keyword of ssh_config; did you mean Compression?\n", 1},
		{"Prot 22\n", []string{"-F", "$D/config", "web"}, "$D/config: line 1: Bad configuration option: prot", 255},
		{"", []string{"-F", "$D/config"}, "usage: ssh", 255},
	} {
		_, errs, code := run(t, map[string]string{"config": c.config}, c.args...)
		if !strings.HasPrefix(errs, c.errs) || code != c.code {
			t.Errorf("%q: status %d, %q", c.args, code, errs)
		}
	}
}

// What a second pass finds counts once, and says which pass failed.
func TestExplainFinal(t *testing.T) {
	out, errs, code := run(t, map[string]string{"config": "Match final host web\n  Port 77\nMatch canonical\n  Port 78\n"}, "-F", "$D/config", "web", "port")
	want := `Port 77
    set by $D/config line 2 (Match final host web): Port 77
    not from $D/config line 4 (Match canonical): Port 78
        "canonical" fails: host names are not canonicalised here, or this is the first pass
`
	if code != 0 || errs != "" || !strings.HasPrefix(out, "Port 77\n    set by $D/config line 2") {
		t.Errorf("status %d, %s\n%s\nwant\n%s", code, errs, out, want)
	}
}
