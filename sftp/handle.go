package sftp

import "encoding/binary"

// handleSize is the size of our handles: a number, and how often that number
// was given out before, so that one that was closed stays invalid (SFT-2).
const handleSize = 8

// handle is an open file or folder; neither means unused.
type handle struct {
	generation    uint32
	file          File
	dir           Dir
	name          string
	flags         OpenFlags
	read, written uint64
	next          Entry // of a folder: read, and there was no room for it
	pending       bool  // next holds a name
}

// handleOf finds what name means, nil if it is nothing that is open.
func (c *session) handleOf(name []byte) *handle {
	if len(name) != handleSize {
		return nil
	}
	n := binary.BigEndian.Uint32(name)
	if uint64(n) >= uint64(len(c.handles)) {
		return nil
	}
	h := &c.handles[n]
	if h.file == nil && h.dir == nil || h.generation != binary.BigEndian.Uint32(name[4:]) {
		return nil
	}
	return h
}

// file finds the open file that name means, nil if it means none.
func (c *session) file(name []byte) *handle {
	if h := c.handleOf(name); h != nil && h.file != nil {
		return h
	}
	return nil
}

// number is how the log calls a handle.
func number(name []byte) int {
	if len(name) != handleSize {
		return -1
	}
	return int(binary.BigEndian.Uint32(name))
}

// nameOf is the name a handle was opened by, fit for the log.
func (c *session) nameOf(name []byte) string {
	if h := c.handleOf(name); h != nil {
		return c.visible(h.name)
	}
	return ""
}

// hasRoom tells whether one more handle may be opened.
func (c *session) hasRoom() bool { return c.open < c.maxHandles }

// give gives out a handle. The caller has asked hasRoom.
func (c *session) give(h handle) (name [handleSize]byte) {
	var n uint32
	if k := len(c.free); k > 0 {
		n = c.free[k-1]
		c.free = c.free[:k-1]
		h.generation = c.handles[n].generation + 1
		c.handles[n] = h
	} else {
		n = uint32(len(c.handles))
		c.handles = append(c.handles, h)
	}
	c.open++
	binary.BigEndian.PutUint32(name[:], n)
	binary.BigEndian.PutUint32(name[4:], h.generation)
	return name
}

// release closes h, which handleOf found by name.
func (c *session) release(name []byte, h *handle) error {
	err := h.close()
	*h = handle{generation: h.generation}
	c.free = append(c.free, binary.BigEndian.Uint32(name))
	c.open--
	return err
}

func (h *handle) close() error {
	if h.file != nil {
		return h.file.Close()
	}
	return h.dir.Close()
}

// closeAll closes what the client left open.
func (c *session) closeAll() {
	for i := range c.handles {
		if h := &c.handles[i]; h.file != nil || h.dir != nil {
			c.logClose(h, "forced ")
			_ = h.close()
			*h = handle{generation: h.generation}
		}
	}
}

func (c *session) logClose(h *handle, how string) {
	switch {
	case h == nil:
		c.logf(LevelInfo, "%sclosedir \"\"", how)
	case h.file != nil:
		c.logf(LevelInfo, "%sclose \"%s\" bytes read %d written %d", how, c.visible(h.name), h.read, h.written)
	default:
		c.logf(LevelInfo, "%sclosedir \"%s\"", how, c.visible(h.name))
	}
}
