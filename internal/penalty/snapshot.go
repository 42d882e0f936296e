package penalty

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A snapshot is text: a first line that says what it is, then a line for each
// source: network, seconds since 1970 with three decimals, "active" or
// "deferred", and the event's number.
const (
	snapshotHead = "nacre penalties 1"
	// MaxSnapshot bounds what is read back: two full tables.
	MaxSnapshot = 2 * 65536 * 96
)

var errSnapshot = errors.New("penalty: not a list of penalties")

func (tab *tree) sorted() []*entry {
	l := slices.Clone(tab.byEnd)
	slices.SortFunc(l, func(a, b *entry) int {
		if c := a.expiry.Compare(b.expiry); c != 0 {
			return c
		}
		return a.source.Addr().Compare(b.source.Addr())
	})
	return l
}

// Snapshot is all that is held against anybody, to be written down. now is what
// the clock says that the entries were made by.
func (t *Table) Snapshot(now time.Time) []byte {
	b := []byte(snapshotHead + "\n")
	for i := range t.tab {
		t.tab[i].expire(now)
		for _, e := range t.tab[i].sorted() {
			kind := "deferred"
			if e.active {
				kind = "active"
			}
			ms := e.expiry.UnixMilli()
			b = fmt.Appendf(b, "%s %d.%03d %s %d\n", e.source, ms/1000, ms%1000, kind, e.reason)
		}
	}
	return b
}

// Restore takes up what a snapshot says. What has expired, is no source under
// the rules of today or would last longer than they allow is left out or cut; a
// file that is no snapshot changes nothing.
func (t *Table) Restore(snapshot []byte, now time.Time) error {
	if len(snapshot) > MaxSnapshot {
		return errSnapshot
	}
	head, rest, ok := bytes.Cut(snapshot, []byte("\n"))
	if !ok || string(head) != snapshotHead {
		return errSnapshot
	}
	var list []*entry
	for line := range bytes.Lines(rest) {
		e, err := parseEntry(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			return err
		}
		list = append(list, e)
	}
	latest := now.Add(t.cfg.Penalties.Max)
	for _, e := range list {
		if e.expiry.After(latest) {
			e.expiry = latest
		}
		tab, most, _ := t.rules(e.source)
		if !e.expiry.After(now) || Source(e.source.Addr(), t.cfg.Bits) != e.source || len(tab.sources) >= most || tab.sources[e.source] != nil {
			continue
		}
		active := e.active
		e.active = false
		tab.insert(e)
		tab.activate(e, active)
	}
	for i := range t.tab {
		heap.Init(&t.tab[i].byEnd)
	}
	return nil
}

func parseEntry(line string) (*entry, error) {
	f := strings.Split(line, " ")
	if len(f) != 4 {
		return nil, errSnapshot
	}
	source, err := netip.ParsePrefix(f[0])
	if err != nil || source.Masked() != source || source.Addr().Is4In6() {
		return nil, errSnapshot
	}
	s, ms, ok := strings.Cut(f[1], ".")
	sec, err1 := strconv.ParseUint(s, 10, 40)
	milli, err2 := strconv.ParseUint(ms, 10, 10)
	ev, err3 := strconv.ParseUint(f[3], 10, 8)
	e := &entry{source: source, expiry: time.UnixMilli(int64(sec*1000 + milli)), active: f[2] == "active", reason: Event(ev)}
	if !ok || len(ms) != 3 || milli > 999 || err1 != nil || err2 != nil || err3 != nil || !e.reason.Valid() || e.reason == None || !e.active && f[2] != "deferred" {
		return nil, errSnapshot
	}
	return e, nil
}
