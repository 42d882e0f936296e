package wire

import "encoding/binary"

// AppendUint32 appends a uint32.
func AppendUint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

// AppendUint64 appends a uint64.
func AppendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendString appends a string with its length.
func AppendString(b, s []byte) []byte {
	return append(AppendUint32(b, uint32(len(s))), s...)
}

// AppendText is AppendString for Go's strings.
func AppendText(b []byte, s string) []byte {
	return append(AppendUint32(b, uint32(len(s))), s...)
}

// AppendMpint appends the mpint with magnitude m (big endian, leading zeros
// allowed) in its shortest form.
func AppendMpint(b, m []byte) []byte {
	for len(m) > 0 && m[0] == 0 {
		m = m[1:]
	}
	if len(m) > 0 && m[0]&0x80 != 0 {
		b = AppendUint32(b, uint32(len(m)+1))
		return append(append(b, 0), m...)
	}
	return AppendString(b, m)
}

// AppendNameList appends a name-list.
func AppendNameList(b []byte, names []string) []byte {
	n := max(len(names)-1, 0)
	for _, s := range names {
		n += len(s)
	}
	b = AppendUint32(b, uint32(n))
	for i, s := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	return b
}
