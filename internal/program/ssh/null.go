package ssh

import (
	"os"

	"github.com/nacre-ssh/nacre/internal/rawio"
)

// devNull is a file that is empty.
func devNull() *rawio.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return rawio.Inherited(-1, os.DevNull)
	}
	return rawio.NewFile(f)
}
