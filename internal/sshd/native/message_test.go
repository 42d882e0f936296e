package native

import (
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, m := range []Message{
		{Kind: Start, List: []string{"sshd", "ann", "192.0.2.1", "ssh", "A=1"}},
		{Kind: Result, Code: Broken, Text: "no library"},
		{Kind: Exited, Code: 4711, More: 256},
		{Kind: Authenticate, Code: DisallowNullToken, Text: "publickey x\n", List: []string{""}},
	} {
		var got Message
		if err := got.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v: %+v %v", m, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	full := Message{Kind: Result, List: make([]string, MaxList)}
	var got Message
	if err := got.Decode(full.Append(nil)); err != nil {
		t.Error(err)
	}
	full.List = append(full.List, "")
	if got.Decode(full.Append(nil)) == nil {
		t.Error("a list that is too long")
	}
	room := MaxMessage - len((&Message{Kind: Result}).Append(nil))
	long := Message{Kind: Result, Text: strings.Repeat("x", room)}
	if err := got.Decode(long.Append(nil)); err != nil {
		t.Error(err)
	}
	long.Text += "x"
	if got.Decode(long.Append(nil)) == nil {
		t.Error("a message that is too long")
	}
	for _, b := range [][]byte{nil, {0}, {byte(Exited) + 1, 0, 0, 0, 0}, append((&Message{Kind: Result}).Append(nil), 0)} {
		if got.Decode(b) == nil {
			t.Errorf("%x", b)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add((&Message{Kind: Start, List: []string{"sshd", "ann"}}).Append(nil))
	f.Add((&Message{Kind: Exited, Code: -1, More: 9, Text: "x"}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if m.Decode(b) != nil {
			return
		}
		if err := again.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v %+v %v", m, again, err)
		}
	})
}
