package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// report gathers the table.
type report struct {
	top, lines strings.Builder
	mem        strings.Builder
}

func (r *report) head(b *bench) {
	f := func(format string, args ...any) { fmt.Fprintf(&r.top, format+"\n", args...) }
	f("# Measured against rivals")
	f("")
	f("Made by `make bench`. Both ends on one machine; %d rounds, every pair once in each, in rotating order. × is the", b.n)
	f("advantage over *stock → stock* of the same round, above 1 is better: median (least–greatest). CPU is user and system of")
	f("everything a side started (%s); the login is taken off transfers. A shared machine: believe ×, and CPU before", rig.GroupKind())
	f("wall time.")
	f("")
	f("| machine | |")
	f("|---|---|")
	f("| processor | %s, %d cores |", cpuModel(), runtime.NumCPU())
	f("| kernel | %s |", uname())
	f("| Go | %s, GOEXPERIMENT=%s |", runtime.Version(), os.Getenv("GOEXPERIMENT"))
	f("| load when it began | %s |", load())
	f("| date | %s |", time.Now().UTC().Format("2006-01-02"))
	for _, n := range names {
		if c := b.clients[n.short]; c != nil {
			f("| %s | %s: %s |", n.short, n.what, c.version)
		}
	}
	fmt.Fprintf(&r.lines, "\n| row | client → server | speed or time | CPU client | CPU server | × wall | × CPU |\n|---|---|---|---|---|---|---|\n")
}

func (r *report) String() string {
	s := r.top.String() + r.lines.String()
	if r.mem.Len() > 0 {
		s += "\n| idle logins | held | private memory of each |\n|---|---|---|\n" + r.mem.String()
	}
	return s
}

func (r *report) row(row, pair, speed, client, server, wall, cpu string) {
	line := fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", row, pair, speed, client, server, wall, cpu)
	r.lines.WriteString(line)
	fmt.Fprint(os.Stderr, line)
}

// sorted returns the pairs of a result in the order of the tables.
func sorted(res map[pair][]cost) []pair {
	var out []pair
	for _, p := range pairs {
		if res[p] != nil {
			out = append(out, p)
		}
	}
	for _, n := range names {
		if p := (pair{"light", n.short}); res[p] != nil {
			out = append(out, p)
		}
	}
	return out
}

func median[T int64 | float64 | time.Duration](v []T) T {
	s := slices.Sorted(slices.Values(v))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

func medianOf(cs []cost, f func(cost) time.Duration) time.Duration {
	var v []time.Duration
	for _, c := range cs {
		v = append(v, f(c))
	}
	return median(v)
}

// times is the advantage over the base, round by round.
func times(cs, base []cost, f func(cost) time.Duration) string {
	var v []float64
	for i := range min(len(cs), len(base)) {
		if d := f(cs[i]); d > 0 {
			v = append(v, float64(f(base[i]))/float64(d))
		}
	}
	if len(v) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(v), slices.Min(v), slices.Max(v))
}

func wall(c cost) time.Duration     { return c.wall }
func onClient(c cost) time.Duration { return c.client }
func onServer(c cost) time.Duration { return c.server }
func both(c cost) time.Duration     { return c.cpu() }

func (r *report) transfer(row string, size int64, res map[pair][]cost) {
	perGB := func(d time.Duration) string { return fmt.Sprintf("%.2f s/GB", d.Seconds()*1e9/float64(size)) }
	for _, p := range sorted(res) {
		cs := res[p]
		r.row(row, p.String(), fmt.Sprintf("%.0f MB/s", float64(size)/1e6/medianOf(cs, wall).Seconds()),
			perGB(medianOf(cs, onClient)), perGB(medianOf(cs, onServer)),
			times(cs, res[base], wall), times(cs, res[base], both))
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func (r *report) each(row string, res map[pair][]cost) {
	for _, p := range sorted(res) {
		cs := res[p]
		r.row(row, p.String(), ms(medianOf(cs, wall)), ms(medianOf(cs, onClient)), ms(medianOf(cs, onServer)),
			times(cs, res[base], wall), times(cs, res[base], both))
	}
}

// trips: client holds the part of the wall time that the path made.
func (r *report) trips(row string, rtt time.Duration, res map[pair][]cost) {
	for _, p := range sorted(res) {
		cs := res[p]
		var counted []float64
		for _, c := range cs {
			counted = append(counted, float64(c.trips))
		}
		slices.Sort(counted)
		r.row(row, p.String(), fmt.Sprintf("%s, %.1f round trips; %.0f counted on the wire", ms(medianOf(cs, wall)), float64(medianOf(cs, onClient))/float64(rtt), counted[len(counted)/2]),
			"–", "–", times(cs, res[base], wall), "–")
	}
}

func (r *report) logins(row string, res map[pair][]cost) {
	stock := res[pair{"light", base.server}]
	for _, p := range sorted(res) {
		cs := res[p]
		r.row(row, p.String(), fmt.Sprintf("%.0f/s", 1/medianOf(cs, wall).Seconds()), "–", ms(medianOf(cs, onServer)),
			times(cs, stock, wall), times(cs, stock, onServer))
	}
}

func (r *report) idle(what string, n int, each int64) {
	line := fmt.Sprintf("| %s | %d | %.1f KiB |\n", what, n, float64(each)/1024)
	r.mem.WriteString(line)
	fmt.Fprint(os.Stderr, line)
}
