// Command bench measures this suite against its rivals on one machine and
// prints a table: paired ratios, because seconds of a shared machine mean
// nothing and ratios of one minute do.
//
//	go run ./test/bench [-n ROUNDS] [-size BYTES] [-rows PATTERN] [-o docs/bench.md]
//
// A round runs every pair of client and server once, in rotating order; each
// figure is compared with the machine's own OpenSSH against itself in the same
// round; the median of the ratios is reported with the least and the greatest.
// CPU seconds are counted by control group, one for each side, children
// included. What the login cost is measured beside and taken off transfers.
//
// It needs root: everything runs in a mount namespace with an account of its
// own (package rig). Nothing outside changes.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// The short names of the table.
var names = [...]struct{ short, peer, what string }{
	{"nacre", "nacre", "this suite"},
	{"stock", "openssh", "the distribution's OpenSSH"},
	{"stock10", "openssh10", "OpenSSH from backports"},
	{"xcrypto", "xcrypto", "golang.org/x/crypto/ssh"},
}

// pair is one client against one server, by short name.
type pair struct{ client, server string }

func (p pair) String() string { return p.client + " → " + p.server }

var pairs = [...]pair{
	{"nacre", "nacre"}, {"nacre", "stock"}, {"stock", "nacre"}, {"stock", "stock"},
	{"stock10", "stock10"}, {"xcrypto", "xcrypto"},
}

var base = pair{"stock", "stock"}

type bench struct {
	w       *rig.World
	n       int
	size    int64
	long    int64
	rtt     time.Duration
	idle    int
	logins  int
	rows    *regexp.Regexp
	data    string // a file of size bytes
	clients map[string]*client
	servers map[string]*server
	report  report
}

// client and server are what takes part, each in a control group of its own.
type client struct {
	tool    *rig.Tool
	version string
	group   *rig.Group
}

type server struct {
	*rig.Server
	group *rig.Group
}

func main() {
	rig.GoPrivate()
	b := &bench{clients: map[string]*client{}, servers: map[string]*server{}}
	size := flag.String("size", "1G", "bytes of a transfer")
	long := flag.String("long", "800M", "bytes of a transfer over the long path")
	rows := flag.String("rows", "", "only the rows that match this pattern")
	out := flag.String("o", "docs/bench.md", "where to write the table, - for nowhere")
	flag.IntVar(&b.n, "n", 5, "rounds")
	flag.DurationVar(&b.rtt, "rtt", 100*time.Millisecond, "round trip of the long path")
	flag.IntVar(&b.idle, "idle", 10000, "idle logins where a server keeps them in one process")
	flag.IntVar(&b.logins, "logins", 200, "logins of one round")
	flag.Parse()
	if err := b.run(*size, *long, *rows, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(size, long, rows, out string) (err error) {
	if b.size, err = parseSize(size); err != nil {
		return err
	}
	if b.long, err = parseSize(long); err != nil {
		return err
	}
	if b.rows, err = regexp.Compile(rows); err != nil {
		return err
	}
	if !rig.Private() {
		return fmt.Errorf("run as root: CPU is counted by control group, and the rig needs an account of its own")
	}
	if b.w, err = rig.NewWorld(); err != nil {
		return err
	}
	defer b.w.Close()
	defer b.stop()
	if err := b.start(); err != nil {
		return err
	}
	b.report.head(b)
	for _, section := range []func() error{b.transfers, b.longPath, b.execs, b.roundTrips, b.loginRate, b.idleMemory} {
		if err := section(); err != nil {
			return err
		}
	}
	text := b.report.String()
	fmt.Print(text)
	if out == "-" {
		return nil
	}
	return os.WriteFile(filepath.Join(b.w.Tree, out), []byte(text), 0o644)
}

// start brings up every rival that is on this machine.
func (b *bench) start() error {
	dir := "/dev/shm" // no disk in the way
	if _, err := os.Stat(dir); err != nil {
		dir = b.w.Dir
	}
	f, err := os.CreateTemp(dir, "nacre-bench-")
	if err != nil {
		return err
	}
	b.data = f.Name()
	// Random, so that nothing anywhere can be clever about it.
	if err := fill(f, max(b.size, b.long)); err != nil {
		return err
	}
	for _, n := range names {
		t := rig.ToolByName(n.peer)
		file := t.Program(b.w)
		d := rig.DaemonByName(n.peer)
		if file == "" || d.Program(b.w) == "" {
			fmt.Fprintf(os.Stderr, "bench: without %s: not here\n", n.short)
			continue
		}
		g, err := rig.NewGroup()
		if err != nil {
			return err
		}
		b.clients[n.short] = &client{tool: t, version: t.Version(file), group: g}
		s, err := b.serve(d)
		if err != nil {
			return err
		}
		b.servers[n.short] = s
	}
	return nil
}

func (b *bench) serve(d *rig.Daemon, config ...string) (*server, error) {
	g, err := rig.NewGroup()
	if err != nil {
		return nil, err
	}
	s, err := b.w.Start(d, rig.ServerOptions{HostKeys: []string{"ed25519"}, Group: g, Config: append(config, "LogLevel ERROR")})
	if err != nil {
		g.Close()
		return nil, err
	}
	return &server{s, g}, nil
}

func (s *server) stop() {
	s.Stop()
	s.group.Close()
}

func (b *bench) stop() {
	for _, s := range b.servers {
		s.stop()
	}
	for _, c := range b.clients {
		c.group.Close()
	}
	os.Remove(b.data)
}

// here returns the pairs of which both ends take part.
func (b *bench) here(ps ...pair) []pair {
	var out []pair
	for _, p := range ps {
		if b.clients[p.client] != nil && b.servers[p.server] != nil {
			out = append(out, p)
		}
	}
	return out
}

// cost is what one run took.
type cost struct {
	wall, client, server time.Duration
	trips                int64 // round trips on the wire, where they were counted
}

func (c cost) cpu() time.Duration { return c.client + c.server }

func (c cost) less(d cost) cost {
	return cost{wall: c.wall - d.wall, client: c.client - d.client, server: c.server - d.server}
}

// measure runs a request of the pair once. stdin is a file name, "" for none.
func (b *bench) measure(p pair, r rig.Request, stdin string) (cost, error) {
	c, s := b.clients[p.client], b.servers[p.server]
	r.Server, r.Group = s.Server, c.group
	cmd, err := b.w.Command(c.tool, &r)
	if err != nil {
		return cost{}, err
	}
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			return cost{}, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	before := len(s.group.PIDs())
	cpuC, cpuS := c.group.CPU(), s.group.CPU()
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s: %v: %s\n%s", p, err, errs.String(), s.Log())
	}
	out := cost{wall: time.Since(start)}
	// The server's part of the goodbye belongs to it.
	for range 50 {
		if len(s.group.PIDs()) <= before {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	out.client, out.server = c.group.CPU()-cpuC, s.group.CPU()-cpuS
	return out, nil
}

// rounds runs f for every pair in every round, in rotating order, and returns
// the costs by pair and round.
func (b *bench) rounds(row string, ps []pair, f func(p pair) (cost, error)) (map[pair][]cost, error) {
	out := map[pair][]cost{}
	for round := range b.n {
		for i := range ps {
			p := ps[(i+round)%len(ps)]
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s: round %d of %d: %s", row, round+1, b.n, p)
			c, err := f(p)
			if err != nil {
				return nil, err
			}
			out[p] = append(out[p], c)
		}
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	return out, nil
}

func (b *bench) wants(row string) bool { return b.rows.MatchString(row) }

func parseSize(s string) (int64, error) {
	unit := int64(1)
	for i, u := range []string{"K", "M", "G"} {
		if n, ok := strings.CutSuffix(s, u); ok {
			s, unit = n, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("not a size: %q", s)
	}
	return n * unit, nil
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

func uname() string {
	out, _ := exec.Command("uname", "-sr").Output()
	return strings.TrimSpace(string(out))
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if len(f) == 0 {
		return "unknown"
	}
	return f[0]
}
