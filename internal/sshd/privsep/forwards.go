package privsep

// MaxNetwork is how long the name of a network may be, in bytes.
const MaxNetwork = 16

// Dial asks for a connection. Network and Addr are as for net.Dial.
type Dial struct{ Network, Addr string }

func (m *Dial) fields(c *codec) {
	c.text(&m.Network, MaxNetwork)
	c.text(&m.Addr, MaxName)
}

// Listen asks for a listener on one address, as for net.Listen. ID is who asks's
// name for it.
type Listen struct {
	ID            uint32
	Network, Addr string
}

func (m *Listen) fields(c *codec) {
	c.uint32(&m.ID)
	c.text(&m.Network, MaxNetwork)
	c.text(&m.Addr, MaxName)
}

// Why is why nothing was opened.
type Why uint8

// Reasons.
const (
	Opening      Why = iota // none: it was opened
	NotPermitted            // the login may not
	SystemSays              // Errno
	NoSuchHost              // the name has no address
	NoAnswer                // the name could not be looked up
	OtherError              // Text
	maxWhy
)

// Opened answers Dial and Listen.
type Opened struct {
	Why   Why
	Errno uint32
	Text  string
	Addr  string // where a listener listens
}

func (m *Opened) fields(c *codec) {
	c.byte((*uint8)(&m.Why))
	if m.Why >= maxWhy {
		m.Why = OtherError
	}
	c.uint32(&m.Errno)
	c.text(&m.Text, MaxLine)
	c.text(&m.Addr, MaxName)
}

// Accepted brings a connection to the listener with the number ID.
type Accepted struct{ ID uint32 }

func (m *Accepted) fields(c *codec) { c.uint32(&m.ID) }

// Unlisten ends a listener.
type Unlisten struct{ ID uint32 }

func (m *Unlisten) fields(c *codec) { c.uint32(&m.ID) }
