package ssh

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/system/tty"
)

// type_ carries what is typed to the session and does what escapes ask for.
func (l *loop) type_(w io.WriteCloser) {
	e := client.NewEscape(byte(l.conf.EscapeChar))
	buf := make([]byte, 4<<10)
	for {
		n, err := l.streams.in.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			data, command, behind := e.Next(rest)
			if len(data) > 0 {
				if _, err := w.Write(data); err != nil {
					return
				}
			}
			rest = behind
			if command == client.EscapeBackground {
				l.term.restore()
				fmt.Fprintf(l.io.Err, "%c& [backgrounded]\n", e.Char())
				w.Write([]byte{4}) // what a shell takes for the end of its input
				w.Close()
				letGo()
				return
			}
			if command == client.EscapeCommand && l.conf.EnableEscapeCommandline {
				rest = l.commandLine(rest)
				continue
			}
			if command != 0 && l.escape(e, command) {
				return
			}
		}
		if err != nil {
			w.Close()
			return
		}
	}
}

// commandLine is the escape ~C: a line is read from the terminal, which shows
// it, and done. typed is what stands behind the escape already; what is left
// behind the line is returned.
func (l *loop) commandLine(typed []byte) (rest []byte) {
	l.term.restore()
	defer l.term.raw()
	io.WriteString(l.io.Err, "\r\nssh> ")
	line := append([]byte(nil), typed...)
	buf := make([]byte, 512)
	end := bytes.IndexAny(line, "\r\n")
	for end < 0 {
		n, err := l.streams.in.Read(buf)
		line = append(line, buf[:n]...)
		end = bytes.IndexAny(line, "\r\n")
		if end < 0 && (err != nil || len(line) > maxCommandLine) {
			return nil
		}
	}
	var run func(string)
	if l.conf.PermitLocalCommand {
		run = func(command string) { l.runLocal(command) }
	}
	l.forwards.Command(string(line[:end]), run)
	return line[end+1:]
}

// maxCommandLine is the longest line that is read behind ~C.
const maxCommandLine = 8 << 10

// echo writes an answer to an escape.
func (l *loop) echo(format string, args ...any) {
	fmt.Fprintf(l.io.Err, format+"\r\n", args...)
}

// escape does what one escape asks for; true ends the reading of what is
// typed.
func (l *loop) escape(e *client.Escape, command byte) (end bool) {
	c := e.Char()
	switch command {
	case client.EscapeTerminate:
		l.terminated.Store(true)
		l.client.Close()
		return true
	case client.EscapeSuspend:
		l.echo("%c^Z [suspend ssh]", c)
		l.term.restore()
		tty.Suspend()
		l.term.raw()
		l.session.WindowChange(l.term.size())
	case client.EscapeBreak:
		l.echo("%cB", c)
		go l.session.Break(context.Background(), 1000)
	case client.EscapeRekey:
		l.client.Rekey()
	case client.EscapeMoreVerbose, client.EscapeLessVerbose:
		l.verbosity(c, command)
	case client.EscapeHelp:
		io.WriteString(l.io.Err, e.Help(l.conf.EnableEscapeCommandline, false))
	case client.EscapeList:
		l.echo("%c#", c)
		io.WriteString(l.io.Err, l.listChannels())
	case client.EscapeInfo:
		l.echo("%cI", c)
		io.WriteString(l.io.Err, l.connectionInfo())
	case client.EscapeCommand:
		l.echo("commandline disabled")
	}
	return false
}

// verbosity is ~v and ~V.
func (l *loop) verbosity(c, command byte) {
	if l.log.ToFile() {
		l.echo("%c%c [Logging to syslog]", c, command)
		return
	}
	level := l.log.Level()
	if command == client.EscapeMoreVerbose && level < client.LevelDebug3 {
		level++
	}
	if command == client.EscapeLessVerbose && level > client.LevelQuiet {
		level--
	}
	l.log.SetLevel(level)
	l.echo("%c%c [LogLevel %s]", c, command, level)
}

// listChannels is the answer to ~#.
func (l *loop) listChannels() string {
	var b strings.Builder
	b.WriteString("The following connections are open:\r\n")
	for _, c := range l.client.Channels() {
		name, kind := c.Name, c.Type
		remote, state, in, out, use := fmt.Sprintf("r%d", c.Peer), 4, 0, 0, "closed"
		if l.session != nil && c.ID == l.session.Channel().ID() {
			name, kind = "client-session", "session:shell"
			if l.command != "" {
				kind = "session:command"
			}
			use = "write"
		}
		if !c.Open {
			remote, state = "nr0", 3
		}
		if c.SentEOF {
			in = 3
		}
		if c.GotEOF {
			out = 3
		}
		flags := "B"
		if c.TTY {
			flags = "RTI"
		}
		fmt.Fprintf(&b, "  #%d %s (t%d [%s] %s nm0 i%d/0 o%d/%d e[%s]/%d fd -1/-1/-1 sock -1 cc -1 nc0 io 0x00/0x00 %s)\r\n",
			c.ID, client.Visible(name), state, client.Visible(kind), remote, in, out, c.Waiting[0], use, c.Waiting[1], flags)
	}
	return b.String()
}

// connectionInfo is the answer to ~I.
func (l *loop) connectionInfo() string {
	a, s := l.client.Algorithms(), l.client.Stats()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("Connection information for %s pid %d", l.conf.Hostname, pid())
	if l.connector.Proxy == nil {
		line("  tcp %s -> %s", l.client.LocalAddr(), l.client.RemoteAddr())
	}
	d := int(l.client.Duration().Seconds())
	line("  duration %02d:%02d:%02d", d/3600, d/60%60, d%60)
	line("  kexalgorithm %s", a.Kex)
	line("  hostkeyalgorithm %s", a.HostKey)
	line("  cipher %s", both(a.Read.Cipher, a.Write.Cipher))
	line("  mac %s", both(orImplicit(a.Read.MAC), orImplicit(a.Write.MAC)))
	line("  compression %s", both(a.Read.Compression, a.Write.Compression))
	limit, interval := "none", "none"
	if l.conf.RekeyLimit.Bytes > 0 {
		limit = fmt.Sprintf("blocks %d", l.conf.RekeyLimit.Bytes/blockSize(a.Write.Cipher))
	}
	if i := int(l.conf.RekeyLimit.Interval.Seconds()); i > 0 {
		interval = fmt.Sprintf("%02d:%02d:%02d", i/3600, i/60%60, i%60)
	}
	line("  rekey limit %s interval %s", limit, interval)
	line("  traffic %d pkts %d blks %s in, %d pkts %d blks %s out",
		s.PacketsIn, s.BytesIn/blockSize(a.Read.Cipher), scaled(s.BytesIn), s.PacketsOut, s.BytesOut/blockSize(a.Write.Cipher), scaled(s.BytesOut))
	return b.String()
}

func both(in, out string) string {
	if in == out {
		return in
	}
	return in + " in, " + out + " out"
}

func orImplicit(mac string) string {
	if mac == "" {
		return "<implicit>"
	}
	return mac
}

func blockSize(name string) uint64 {
	if c := cipher.CipherByName(name); c != nil {
		return uint64(max(c.BlockSize, 8))
	}
	return 8
}

// scaled is a number of bytes as people read it: "249.0B", "4.4KB".
func scaled(n uint64) string {
	v, unit := float64(n), "B"
	for _, u := range [...]string{"KB", "MB", "GB", "TB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	return fmt.Sprintf("%.1f%s", v, unit)
}
