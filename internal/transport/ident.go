package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// IdentError is a peer that did not introduce itself as SSH 2 (RFC 4253 §4.2).
// Line is what it sent, cut at the limit, to be escaped before it is shown.
type IdentError struct {
	Line string
	Why  string
}

func (e *IdentError) Error() string { return "identification: " + e.Why }

// Texts that a server sends to a stranger before it hangs up.
const (
	textNotSSH  = "Invalid SSH identification string.\r\n"
	textVersion = "Protocol major versions differ.\r\n"
)

// readIdent reads the peer's identification line, without CR LF.
func (c *Conn) readIdent() error {
	for lines := 0; ; lines++ {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		isSSH := bytes.HasPrefix(line, []byte("SSH-"))
		if !isSSH && c.cfg.Client {
			// A server may say something before its version.
			if lines >= MaxPreVersionLines {
				return &IdentError{string(line), "no identification within the first lines"}
			}
			c.cfg.trace(1, "kex_exchange_identification: banner line %d: %q", lines, line)
			continue
		}
		if refusal, err := judgeIdent(line); err != nil {
			c.refuse(refusal)
			return err
		}
		c.peerID = append([]byte(nil), line...)
		return nil
	}
}

// judgeIdent says whether line, without its end, introduces SSH 2, and if not,
// what a server tells the stranger.
func judgeIdent(line []byte) (refusal string, err error) {
	if !bytes.HasPrefix(line, []byte("SSH-")) {
		return textNotSSH, &IdentError{string(line), "invalid format"}
	}
	if bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		return textNotSSH, &IdentError{string(line), "a NUL or CR inside the line"}
	}
	version, _, ok := strings.Cut(string(line[4:]), "-")
	if !ok {
		return textNotSSH, &IdentError{string(line), "invalid format"}
	}
	if version != "2.0" && version != "1.99" {
		err := &IdentError{string(line), "protocol version " + quoteVersion(version) + " is not 2.0"}
		return textVersion, &wire.DisconnectError{Reason: wire.ReasonVersionNotSupported, Message: err.Error(), Err: err}
	}
	return "", nil
}

func quoteVersion(v string) string { return fmt.Sprintf("%.20q", v) }

// refuse tells a stranger in clear text; only a server does.
func (c *Conn) refuse(text string) {
	if c.cfg.Client {
		return
	}
	c.silent = true // no DISCONNECT packet to somebody who does not speak SSH
	c.out.text(text)
	c.out.tryFlush()
}

// readLine takes one line from the in-buffer; LF alone ends it too. Bytes
// behind it stay where they are.
func (c *Conn) readLine() ([]byte, error) {
	in := &c.in
	for seen := 0; ; {
		data := in.rb[in.a:in.e]
		line, n, err := cutLine(data, seen)
		if err != nil {
			c.refuse(textNotSSH)
			return nil, err
		}
		if n > 0 {
			in.a += n
			return line, nil
		}
		seen = len(data)
		if err := c.out.tryFlush(); err != nil {
			return nil, err
		}
		if err := in.fill(); err != nil {
			if errors.Is(err, io.EOF) && len(data) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// cutLine is the line at the front of data, without its end, and the n bytes it
// takes; n is 0 while its end is not there. No end is in the first seen bytes.
func cutLine(data []byte, seen int) (line []byte, n int, err error) {
	i := bytes.IndexByte(data[seen:], '\n')
	switch i += seen; {
	case i >= seen && i+1 > MaxVersionLine:
		return nil, 0, tooLong(data[:i])
	case i >= seen:
		return bytes.TrimSuffix(data[:i], []byte("\r")), i + 1, nil
	case len(data) >= MaxVersionLine:
		return nil, 0, tooLong(data)
	}
	return nil, 0, nil
}

func tooLong(line []byte) error {
	return &IdentError{string(line[:min(len(line), MaxVersionLine)]), "line is too long"}
}
