package sftp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Each request in bytes, as draft-ietf-secsh-filexfer-02 and OpenSSH's
// PROTOCOL have it, without the length word.
var requestBytes = [...]struct {
	q   Request
	hex string // blanks are left out; 'text' is a string with its length
}{
	{Request{Op: OpInit, ID: 3}, "01 00000003"},
	{Request{Op: OpOpen, ID: 1, Path: "a/b", Flags: OpenWrite | OpenCreate | OpenTruncate, Attr: Attr{Flags: AttrPermissions, Mode: 0o644}}, "03 00000001 'a/b' 0000001a 00000004 000001a4"},
	{Request{Op: OpClose, ID: 2, Handle: []byte("hh")}, "04 00000002 'hh'"},
	{Request{Op: OpRead, ID: 3, Handle: []byte("h"), Offset: 1 << 32, Length: 32768}, "05 00000003 'h' 0000000100000000 00008000"},
	{Request{Op: OpWrite, ID: 4, Handle: []byte("h"), Offset: 5, Data: []byte("data")}, "06 00000004 'h' 0000000000000005 'data'"},
	{Request{Op: OpLstat, ID: 5, Path: "x"}, "07 00000005 'x'"},
	{Request{Op: OpFstat, ID: 6, Handle: []byte("h")}, "08 00000006 'h'"},
	{Request{Op: OpSetstat, ID: 7, Path: "x", Attr: Attr{Flags: AttrSize | AttrUIDGID | AttrPermissions | AttrACModTime, Size: 9, UID: 1, GID: 2, Mode: 0o600, ATime: 3, MTime: 4}},
		"09 00000007 'x' 0000000f 0000000000000009 00000001 00000002 00000180 00000003 00000004"},
	{Request{Op: OpFsetstat, ID: 8, Handle: []byte("h")}, "0a 00000008 'h' 00000000"},
	{Request{Op: OpOpendir, ID: 9, Path: ""}, "0b 00000009 ''"},
	{Request{Op: OpReaddir, ID: 10, Handle: []byte("h")}, "0c 0000000a 'h'"},
	{Request{Op: OpRemove, ID: 11, Path: "x"}, "0d 0000000b 'x'"},
	{Request{Op: OpMkdir, ID: 12, Path: "x"}, "0e 0000000c 'x' 00000000"},
	{Request{Op: OpRmdir, ID: 13, Path: "x"}, "0f 0000000d 'x'"},
	{Request{Op: OpRealpath, ID: 14, Path: "."}, "10 0000000e '.'"},
	{Request{Op: OpStat, ID: 15, Path: "x"}, "11 0000000f 'x'"},
	{Request{Op: OpRename, ID: 16, Path: "old", Target: "new"}, "12 00000010 'old' 'new'"},
	{Request{Op: OpReadlink, ID: 17, Path: "x"}, "13 00000011 'x'"},
	// What the link says comes first, its name second.
	{Request{Op: OpSymlink, ID: 18, Path: "link", Target: "says"}, "14 00000012 'says' 'link'"},
	{Request{Op: OpPosixRename, ID: 19, Path: "old", Target: "new"}, "c8 00000013 'posix-rename@openssh.com' 'old' 'new'"},
	{Request{Op: OpStatVFS, ID: 20, Path: "x"}, "c8 00000014 'statvfs@openssh.com' 'x'"},
	{Request{Op: OpFstatVFS, ID: 21, Handle: []byte("h")}, "c8 00000015 'fstatvfs@openssh.com' 'h'"},
	{Request{Op: OpHardlink, ID: 22, Path: "old", Target: "new"}, "c8 00000016 'hardlink@openssh.com' 'old' 'new'"},
	{Request{Op: OpFsync, ID: 23, Handle: []byte("h")}, "c8 00000017 'fsync@openssh.com' 'h'"},
	{Request{Op: OpLsetstat, ID: 24, Path: "x", Attr: Attr{Flags: AttrUIDGID, UID: 1, GID: 2}}, "c8 00000018 'lsetstat@openssh.com' 'x' 00000002 00000001 00000002"},
	{Request{Op: OpLimits, ID: 25}, "c8 00000019 'limits@openssh.com'"},
	{Request{Op: OpExpandPath, ID: 26, Path: "~ann"}, "c8 0000001a 'expand-path@openssh.com' '~ann'"},
	{Request{Op: OpCopyData, ID: 27, Handle: []byte("r"), Offset: 1, Length: 2, Handle2: []byte("w"), Offset2: 3}, "c8 0000001b 'copy-data' 'r' 0000000000000001 0000000000000002 'w' 0000000000000003"},
	{Request{Op: OpHomeDirectory, ID: 28, Path: "ann"}, "c8 0000001c 'home-directory' 'ann'"},
	{Request{Op: OpUsersGroupsByID, ID: 29, UIDs: []byte{0, 0, 0, 1}, GIDs: []byte{0, 0, 0, 2, 0, 0, 0, 3}}, "c8 0000001d 'users-groups-by-id@openssh.com' 00000004 00000001 00000008 00000002 00000003"},
}

// packetBytes turns the notation of the table into bytes.
func packetBytes(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for w := range strings.FieldsSeq(s) {
		if w[0] == '\'' {
			b = wire.AppendText(b, strings.Trim(w, "'"))
			continue
		}
		h, err := hex.DecodeString(w)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, h...)
	}
	return b
}

func TestRequests(t *testing.T) {
	seen := map[Op]bool{}
	for _, c := range requestBytes {
		seen[c.q.Op] = true
		want := packetBytes(t, c.hex)
		got := c.q.Append([]byte("before"))
		if !bytes.Equal(got[10:], want) || !bytes.Equal(got[:10], append([]byte("before"), wire.AppendUint32(nil, uint32(len(want)))...)) {
			t.Errorf("%s:\n got %x\nwant %x", c.q.Op, got[10:], want)
		}
		var q Request
		if err := q.Decode(want); err != nil {
			t.Errorf("%s: %v", c.q.Op, err)
			continue
		}
		if again := q.Append(nil); !bytes.Equal(again[4:], want) {
			t.Errorf("%s: decoded and encoded again: %x", c.q.Op, again)
		}
		if q.Op != c.q.Op || q.ID != c.q.ID || q.Path != c.q.Path || q.Target != c.q.Target || !reflect.DeepEqual(q.Attr, c.q.Attr) {
			t.Errorf("%s: decoded %+v", c.q.Op, q)
		}
		// Bytes behind are passed over, missing ones are an error that still
		// tells whose it is.
		if err := q.Decode(append(bytes.Clone(want), 1, 2, 3)); err != nil {
			t.Errorf("%s with more behind: %v", c.q.Op, err)
		}
		for n := range want {
			if err := q.Decode(want[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are enough", c.q.Op, n, len(want))
			} else if n >= 5 && q.ID != c.q.ID {
				t.Errorf("%s: %d of %d bytes: the id is lost", c.q.Op, n, len(want))
			}
		}
	}
	for op := OpInit; op < opCount; op++ {
		if !seen[op] {
			t.Errorf("%s is not in the table", op)
		}
	}
}

func TestTable(t *testing.T) {
	for op := range Ops {
		if got, ok := ParseOp(op.String()); !ok || got != op {
			t.Errorf("ParseOp(%q) = %d", op, got)
		}
		if handlers[op] == nil {
			t.Errorf("the server has nothing for %s", op)
		}
		r := table[op]
		if (r.number == fxpExtended) != (r.extension != "" && r.version != "") {
			t.Errorf("%s: %+v", op, r)
		}
		if got := opOf(r.number, []byte(r.extension)); got != op {
			t.Errorf("%s is found as %s", op, got)
		}
	}
	for _, name := range []string{"", "init", "unknown", "Open", "statvfs@openssh.com"} {
		if op, ok := ParseOp(name); ok {
			t.Errorf("ParseOp(%q) = %s", name, op)
		}
	}
	if s := (OpenRead | OpenExcl).String(); s != "READ,EXCL" {
		t.Error(s)
	}
	if OpUnknown.String() != "unknown" || Op(200).String() != "unknown" || Op(200).Writes() {
		t.Error("an Op beyond the table")
	}
}

// Paths and handles have an end, and no NUL (SFT-5).
func TestRequestLimits(t *testing.T) {
	for _, c := range []struct {
		q    Request
		want error
	}{
		{Request{Op: OpStat, Path: strings.Repeat("x", MaxPath)}, nil},
		{Request{Op: OpStat, Path: strings.Repeat("x", MaxPath+1)}, ErrPath},
		{Request{Op: OpSymlink, Target: strings.Repeat("x", MaxPath)}, nil},
		{Request{Op: OpSymlink, Target: strings.Repeat("x", MaxPath+1)}, ErrPath},
		{Request{Op: OpRemove, Path: "a\x00b"}, ErrPath},
		{Request{Op: OpRename, Target: "\x00"}, ErrPath},
		{Request{Op: OpClose, Handle: make([]byte, MaxHandle)}, nil},
		{Request{Op: OpClose, Handle: make([]byte, MaxHandle+1)}, ErrHandle},
		{Request{Op: OpCopyData, Handle2: make([]byte, MaxHandle+1)}, ErrHandle},
		{Request{Op: OpUsersGroupsByID, UIDs: make([]byte, 5)}, ErrIDs},
		{Request{Op: OpUsersGroupsByID, GIDs: make([]byte, 3)}, ErrIDs},
	} {
		var q Request
		if err := q.Decode(c.q.Append(nil)[4:]); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.q.Op, err, c.want)
		}
	}
}

// Pairs of extended attributes are bounded by the bytes there are (SFT-1).
func TestAttrExtended(t *testing.T) {
	p := packetBytes(t, "09 00000007 'x' 80000004 00000180 00000002 'k' 'v' 'kk' ''")
	var q Request
	if err := q.Decode(p); err != nil || q.Attr.Flags != AttrPermissions || q.Attr.Mode != 0o600 {
		t.Errorf("%+v %v", q.Attr, err)
	}
	p = packetBytes(t, "09 00000007 'x' 80000000 ffffffff 'k' 'v'")
	if err := q.Decode(p); !errors.Is(err, wire.ErrShort) {
		t.Error(err)
	}
}

var replyBytes = [...]struct {
	p   Reply
	hex string
}{
	{Reply{Kind: ReplyVersion, ID: 3, Extensions: []Extension{{"a@b", "1"}, {"c", "2"}}}, "02 00000003 'a@b' '1' 'c' '2'"},
	{Reply{Kind: ReplyStatus, ID: 1, Status: StatusNoSuchFile, Message: "gone"}, "65 00000001 00000002 'gone' ''"},
	{Reply{Kind: ReplyHandle, ID: 2, Handle: []byte("h")}, "66 00000002 'h'"},
	{Reply{Kind: ReplyData, ID: 3, Data: []byte("data")}, "67 00000003 'data'"},
	{Reply{Kind: ReplyName, ID: 4, Names: []Entry{{Name: "n", Longname: "l", Attr: Attr{Flags: AttrSize, Size: 1}}, {Name: "m"}}}, "68 00000004 00000002 'n' 'l' 00000001 0000000000000001 'm' '' 00000000"},
	{Reply{Kind: ReplyAttrs, ID: 5, Attr: Attr{Flags: AttrACModTime, ATime: 1, MTime: 2}}, "69 00000005 00000008 00000001 00000002"},
	{Reply{Kind: ReplyExtended, ID: 6, Body: []byte{1, 2}}, "c9 00000006 0102"},
}

func TestReplies(t *testing.T) {
	for _, c := range replyBytes {
		want := packetBytes(t, c.hex)
		if got := c.p.Append(nil); !bytes.Equal(got[4:], want) {
			t.Errorf("%d:\n got %x\nwant %x", c.p.Kind, got[4:], want)
		}
		var p Reply
		if err := p.Decode(want); err != nil || !reflect.DeepEqual(p, c.p) {
			t.Errorf("%d: %+v %v", c.p.Kind, p, err)
		}
	}
	var p Reply
	if err := p.Decode(packetBytes(t, "65 00000001 00000004")); err != nil || p.Status != StatusFailure {
		t.Errorf("a STATUS without text: %+v %v", p, err)
	}
	for _, bad := range []string{"", "65 00000001", "66 00000001 00000002", "68 00000004 ffffffff", "68 00000004 00000001 'n'", "01 00000003", "02 00000003 'a'"} {
		if err := p.Decode(packetBytes(t, bad)); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
	if err := p.Decode(append(packetBytes(t, "66 00000001 00000101"), make([]byte, 257)...)); !errors.Is(err, ErrHandle) {
		t.Error(err)
	}
}

func TestBodies(t *testing.T) {
	l := Limits{1, 2, 3, 4}
	var l2 Limits
	if err := l2.Decode(l.Append(nil)); err != nil || l2 != l || l2.Decode(make([]byte, 31)) == nil {
		t.Error(l2, err)
	}
	v := VFS{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	var v2 VFS
	if err := v2.Decode(v.Append(nil)); err != nil || v2 != v || v2.Decode(make([]byte, 87)) == nil {
		t.Error(v2, err)
	}
	n := IDNames{[]string{"a", ""}, []string{"b"}}
	var n2 IDNames
	if err := n2.Decode(n.Append(nil)); err != nil || !reflect.DeepEqual(n, n2) {
		t.Error(n2, err)
	}
	for _, bad := range []string{"", "00000004 00000001", "00000003 000000", "00000000"} {
		if err := n2.Decode(packetBytes(t, bad)); err == nil {
			t.Errorf("%q: %+v", bad, n2)
		}
	}
}

func TestLongname(t *testing.T) {
	now := time.Date(2026, 11, 24, 22, 30, 0, 0, time.UTC)
	at := func(y int, m time.Month, d, h, min int) uint32 {
		return uint32(time.Date(y, m, d, h, min, 0, 0, time.UTC).Unix())
	}
	for _, c := range []struct {
		want                string
		mode                uint32
		size                uint64
		mtime               uint32
		links, user, groups string
	}{
		{"-rw-r--r--    1 root     root      1500000 Nov 24 22:15 n", 0o100644, 1500000, at(2026, 11, 24, 22, 15), "1", "root", "root"},
		{"drwxr-xr-x    ? root     root           40 Nov  4 09:05 n", 0o040755, 40, at(2026, 11, 4, 9, 5), "?", "root", "root"},
		{"lrwxrwxrwx 1234 averyverylongname g               123456789012 Jan  2  2019 n", 0o120777, 123456789012, at(2019, 1, 2, 3, 4), "1234", "averyverylongname", "g       "},
		{"-rwsr-Sr-T    1 0        1               0 Nov 24  2026 n", 0o107744, 0, at(2026, 11, 24, 22, 31), "1", "0", "1"},
		{"crw--wx--t    1 0        1               0 Jan  1  1970 n", 0o021631, 0, 0, "1", "0", "1"},
		{"brwxrwsrwx    1 0        1               0 Jan  1  1970 n", 0o062777, 0, 0, "1", "0", "1"},
		{"s---------    1 0        1               0 Jan  1  1970 n", 0o140000, 0, 0, "1", "0", "1"},
		{"p---------    1 0        1               0 Jan  1  1970 n", 0o010000, 0, 0, "1", "0", "1"},
		{"?---------    1 0        1               0 Jan  1  1970 n", 0o000000, 0, 0, "1", "0", "1"},
	} {
		a := Attr{Mode: c.mode, Size: c.size, MTime: c.mtime}
		if got := string(AppendLongname(nil, "n", &a, c.links, c.user, c.groups, now)); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(c.want), " ") || len(c.user) < 9 && got != c.want {
			t.Errorf("\n got %q\nwant %q", got, c.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for s, want := range statusTexts {
		if got := Status(s).String(); got != want || got == "" {
			t.Errorf("%d: %q", s, got)
		}
	}
	if got := Status(99).String(); got != "Unknown error" {
		t.Error(got)
	}
}
