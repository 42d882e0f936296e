package reason

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct {
		err  error
		want string
	}{
		{err, Text(syscall.ENOENT)},
		{syscall.EACCES, Text(syscall.EACCES)},
		{errors.New("as it is"), "as it is"},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
