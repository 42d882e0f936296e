package room

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// Title is what ps shows of this process.
type Title struct {
	mu   sync.Mutex
	room []byte // where the kernel reads it: the arguments, and the environment behind them
}

// Begin makes the start of a process by number look like any other start: its
// short name, by which readers of the journal choose, becomes name, and the
// title loses the blanks that kept its place. It is called once, before other
// goroutines read os.Args.
func Begin(name string) *Title {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return nil
	}
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
	t := &Title{}
	at := unsafe.StringData(os.Args[0])
	// The runtime's strings lie where the kernel put the arguments. From here on
	// the program has copies, and that place is the title's.
	old := slices.Clone(os.Args)
	for i := range old {
		old[i] = strings.Clone(old[i])
	}
	size := 0
	for i, a := range old {
		size += len(a) + 1
		os.Args[i] = a
	}
	if begin, end := extent(); begin == uint64(uintptr(unsafe.Pointer(at))) && end > begin {
		size = int(end - begin) // the runtime has copied the environment
	}
	t.room = unsafe.Slice(at, size)
	os.Args[0] = strings.TrimRight(old[0], " ")
	if os.Args[0] != old[0] {
		t.Set(os.Args[0])
	}
	return t
}

// extent are the fields arg_start and env_end of /proc/self/stat.
func extent() (begin, end uint64) {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0
	}
	_, b, ok := bytes.Cut(b[max(0, bytes.LastIndexByte(b, ')')):], []byte(" "))
	f := strings.Fields(string(b))
	const argStart, envEnd = 48 - 3, 51 - 3 // of proc(5), behind the name
	if !ok || len(f) <= envEnd {
		return 0, 0
	}
	begin, err = strconv.ParseUint(f[argStart], 10, 64)
	if err != nil {
		return 0, 0
	}
	if end, err = strconv.ParseUint(f[envEnd], 10, 64); err != nil {
		return 0, 0
	}
	return begin, end
}

// Set changes the title; what is too long is cut. A nil Title does nothing.
func (t *Title) Set(title string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := copy(t.room[:len(t.room)-1], title)
	// A byte in place of the arguments' last NUL has the kernel read on into the
	// environment's place.
	clear(t.room[n:])
}
