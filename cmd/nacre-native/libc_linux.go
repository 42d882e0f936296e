package main

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// open loads a library by the first of its names that is there.
func open(names ...string) (h uintptr, err error) {
	for _, n := range names {
		if h, err = purego.Dlopen(n, purego.RTLD_NOW|purego.RTLD_GLOBAL); err == nil {
			return h, nil
		}
	}
	return 0, err
}

// bind makes Go functions of a library's.
func bind(h uintptr, functions map[string]any) error {
	for name, f := range functions {
		sym, err := purego.Dlsym(h, name)
		if err != nil {
			return err
		}
		purego.RegisterFunc(f, sym)
	}
	return nil
}

// libc is the part of the C library that memory is handed over with.
type libc struct {
	handle uintptr
	calloc func(n, size uintptr) uintptr
	strdup func(s string) uintptr
	free   func(p uintptr)
}

func openLibc() (*libc, error) {
	c := &libc{}
	var err error
	if c.handle, err = open("libc.so.6", "libc.so"); err != nil {
		return nil, err
	}
	return c, bind(c.handle, map[string]any{"calloc": &c.calloc, "strdup": &c.strdup, "free": &c.free})
}

// maxText bounds a C string that is read.
const maxText = 64 << 10

// pointer makes a pointer of an address that C gave us: what it points to is
// not the collector's.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// word is the i-th pointer of an array.
func word(addr uintptr, i int) *uintptr {
	return (*uintptr)(pointer(addr + uintptr(i)*unsafe.Sizeof(addr)))
}

// text is the string at addr.
func text(addr uintptr) string {
	if addr == 0 {
		return ""
	}
	n := 0
	for n < maxText && *(*byte)(pointer(addr + uintptr(n))) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(pointer(addr)), n))
}

// texts are the strings of an array that a null pointer ends, at most most.
func texts(addr uintptr, most int) (list []string) {
	for i := 0; addr != 0 && i < most && *word(addr, i) != 0; i++ {
		list = append(list, text(*word(addr, i)))
	}
	return list
}
