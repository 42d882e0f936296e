package archtest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func hasCorpus(root, pkg, target string) bool {
	files, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(pkg), "testdata", "fuzz", target))
	return err == nil && len(files) > 0
}

func goTool(t *testing.T, root string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// cmd/nacre links nothing whose initialisers tax every start.
func TestHeavyPackages(t *testing.T) {
	tr := tree(t)
	for _, dep := range strings.Fields(goTool(t, tr.Root, "list", "-deps", "./cmd/nacre")) {
		for _, h := range Heavy {
			if in(dep, h.Path) {
				t.Errorf("cmd/nacre links %s\n\twhy not: %s", dep, h.Why)
			}
		}
	}
}

// The sum of all initialisers, by the runtime's own trace, stays within the
// budget, and the file needs no interpreter.
func TestStart(t *testing.T) {
	tr := tree(t)
	file := filepath.Join(t.TempDir(), "nacre")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	goTool(t, tr.Root, "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./cmd/nacre")

	cmd := exec.Command(file, "-V")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var out, trace bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("nacre -V: %v\n%s", err, trace.String())
	}
	if !regexp.MustCompile(`^OpenSSH_10\.5p1 compatible, nacre \d+\.\d+\.\d+, go1\.`).Match(out.Bytes()) {
		t.Errorf("nacre -V printed %q", out.String())
	}
	nbytes, allocs, lines := sumInit(t, trace.String())
	if allocs > MaxInitAllocs || nbytes > MaxInitBytes {
		t.Errorf("initialisers of cmd/nacre: %d allocations, %d bytes; the budget is %d and %d\n\twhy: every ssh, every room of every login starts this file\n%s",
			allocs, nbytes, MaxInitAllocs, MaxInitBytes, strings.Join(lines, "\n"))
	}
	t.Logf("initialisers: %d allocations, %d bytes", allocs, nbytes)

	if f, err := elf.Open(file); err == nil {
		defer f.Close()
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Error("cmd/nacre is dynamically linked\n\twhy not: it must start in an empty root, and all-thread system calls need a static file")
			}
		}
	} else if runtime.GOOS == "linux" {
		t.Error(err)
	}
}

// sumInit adds up a GODEBUG=inittrace=1 trace.
func sumInit(t *testing.T, trace string) (nbytes, allocs int, lines []string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^init (\S+) @.*, (\d+) bytes, (\d+) allocs$`)
	for _, m := range line.FindAllStringSubmatch(trace, -1) {
		b, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		a, err := strconv.Atoi(m[3])
		if err != nil {
			t.Fatal(err)
		}
		nbytes, allocs = nbytes+b, allocs+a
		lines = append(lines, fmt.Sprintf("\t%-60s %8d bytes %6d allocs", m[1], b, a))
	}
	if len(lines) == 0 {
		t.Fatalf("no init trace in %q", trace)
	}
	return nbytes, allocs, lines
}
