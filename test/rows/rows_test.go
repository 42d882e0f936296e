package rows

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// theWorld is shared by all rows: making one takes seconds.
var theWorld *rig.World

func TestMain(m *testing.M) {
	rig.GoPrivate()
	code := m.Run()
	if theWorld != nil {
		theWorld.Close()
	}
	os.Exit(code)
}

func world(t *testing.T) *rig.World {
	t.Helper()
	if theWorld == nil {
		w, err := rig.NewWorld()
		if err != nil {
			t.Fatal(err)
		}
		theWorld = w
	}
	return theWorld
}

// place is a folder for one row, and what is run in it. ssh is ours by its
// name, first in PATH.
type place struct {
	*testing.T
	w    *rig.World
	dir  string
	path string
	env  []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	w := world(t)
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755) // the account reads it
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	ours := rig.ToolByName("nacre").Program(w)
	if ours == "" {
		t.Fatal("nacre is not built: make build")
	}
	if err := os.Symlink(ours, filepath.Join(bin, "ssh")); err != nil {
		t.Fatal(err)
	}
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PATH=") && !strings.HasPrefix(e, "SSH_") && !strings.HasPrefix(e, "DISPLAY=") && !strings.HasPrefix(e, "SHELL=") {
			env = append(env, e)
		}
	}
	return &place{t, w, dir, path, append(env, "PATH="+path, "SHELL=/bin/sh")}
}

// file writes a file of the place and returns its name.
func (p *place) file(name, text string) string {
	p.Helper()
	name = filepath.Join(p.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return name
}

// start starts a server of a kind.
func (p *place) start(name string, config ...string) *rig.Server {
	p.Helper()
	s, err := p.w.Start(rig.DaemonByName(name), rig.ServerOptions{HostKeys: []string{"ed25519"}, Config: config, Defaults: true})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(s.Stop)
	return s
}

// outcome is what a command did.
type outcome struct {
	out, err string
	code     int
}

// run runs a program of PATH.
func (p *place) run(argv ...string) outcome { p.Helper(); return p.with(nil, argv...) }

// with runs a program with more in its environment.
func (p *place) with(env []string, argv ...string) outcome {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Minute)
	defer cancel()
	file := argv[0]
	if !strings.Contains(file, "/") {
		for _, d := range filepath.SplitList(p.path) {
			if st, err := os.Stat(filepath.Join(d, file)); err == nil && st.Mode()&0o111 != 0 {
				file = filepath.Join(d, file)
				break
			}
		}
	}
	cmd := exec.CommandContext(ctx, file, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir, cmd.Env = p.dir, append(p.env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if cmd.ProcessState == nil {
		p.Fatalf("%q: %v", argv, err)
	}
	return outcome{out.String(), strings.ReplaceAll(errs.String(), "\r\n", "\n"), cmd.ProcessState.ExitCode()}
}

// need skips a row whose foreign tool is not here.
func (p *place) need(tool string) {
	p.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("NACRE_PEERS") == "all" {
			p.Fatalf("%s is not on this machine: make peers", tool)
		}
		p.Skipf("peer lacks itself: %s is not on this machine: make peers", tool)
	}
}
