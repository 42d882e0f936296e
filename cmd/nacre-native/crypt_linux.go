package main

import (
	"crypto/subtle"

	"github.com/nacre-ssh/nacre/internal/sshd/native"
)

// cryptData is how large libcrypt's struct crypt_data is, in bytes.
const cryptData = 32 << 10

// serveCrypt answers one question.
func serveCrypt(c *native.Conn) int {
	m, err := c.Receive()
	if err != nil || m.Kind != native.Crypt || len(m.List) != 1 {
		return 1
	}
	r := &native.Message{Kind: native.Result, Code: native.Broken}
	if ok, err := check(m.Text, m.List[0]); err != nil {
		r.Text = err.Error()
	} else if ok {
		r.Code = 0
	} else {
		r.Code = 1
	}
	if c.Send(r) != nil {
		return 1
	}
	return 0
}

func check(hash, password string) (bool, error) {
	h, err := open("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so")
	if err != nil {
		return false, err
	}
	var crypt func(phrase, setting string, data *byte) uintptr
	if err := bind(h, map[string]any{"crypt_r": &crypt}); err != nil {
		return false, err
	}
	data := make([]byte, cryptData)
	defer clear(data)
	got := text(crypt(password, hash, &data[0]))
	// A hash that begins with "*" is how libcrypt says no.
	return len(got) > 1 && got[0] != '*' && subtle.ConstantTimeCompare([]byte(got), []byte(hash)) == 1, nil
}
