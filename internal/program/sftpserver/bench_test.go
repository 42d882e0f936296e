package sftpserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nacre-ssh/nacre/sftp"
)

// BenchmarkPipes moves one file through the server over pipes, as sshd's
// session does: ours and, where there is one, the machine's. s/GB is processor
// time of the server alone.
func BenchmarkPipes(b *testing.B) {
	dir := b.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "sftp"); err == nil {
		dir = shm
		b.Cleanup(func() { os.RemoveAll(shm) })
	}
	const size = 256 << 20
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, chunk := range []int{32 << 10, sftp.MaxRead} {
		for _, way := range []string{"get", "put"} {
			for _, who := range []string{"ours", "stock"} {
				b.Run(fmt.Sprintf("%s/%dK/%s", way, chunk>>10, who), func(b *testing.B) {
					b.SetBytes(size)
					cpu := 0.0
					for range b.N {
						c := benchServer(b, who)
						c.transfer(b, file, size, chunk, way == "put")
						c.in.Close()
						if err := c.cmd.Wait(); err != nil {
							b.Fatal(err)
						}
						cpu += c.cmd.ProcessState.SystemTime().Seconds() + c.cmd.ProcessState.UserTime().Seconds()
					}
					b.ReportMetric(cpu/float64(b.N)/size*1e9, "s/GB")
				})
			}
		}
	}
}

type benchPeer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	buf []byte
}

func benchServer(b *testing.B, who string) *benchPeer {
	c := &benchPeer{buf: make([]byte, sftp.MaxPacket+4)}
	if who == "ours" {
		c.cmd = exec.Command("/proc/self/exe")
		c.cmd.Args[0] = "sftp-server"
	} else if stock := stockServer(); stock != "" {
		c.cmd = exec.Command(stock)
	} else {
		b.Skip("peer lacks sftp-server")
	}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.out = bufio.NewReaderSize(out, 256<<10)
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	c.send(b, &sftp.Request{Op: sftp.OpInit, ID: 3})
	c.recv(b)
	return c
}

func (c *benchPeer) send(b *testing.B, q *sftp.Request) {
	if _, err := c.in.Write(q.Append(c.buf[:0])); err != nil {
		b.Fatal(err)
	}
}

// recv reads one answer.
func (c *benchPeer) recv(b *testing.B) (p sftp.Reply) {
	head, err := c.out.Peek(9)
	if err != nil {
		b.Fatal(err)
	}
	n := int(binary.BigEndian.Uint32(head)) + 4
	if head[4] == byte(sftp.ReplyData) {
		c.out.Discard(n)
		p.Kind = sftp.ReplyData
		return p
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.out, body); err != nil {
		b.Fatal(err)
	}
	if err := p.Decode(body[4:]); err != nil {
		b.Fatal(err)
	}
	return p
}

// transfer moves size bytes with up to 64 requests or 2 MiB under way.
func (c *benchPeer) transfer(b *testing.B, file string, size, chunk int, put bool) {
	flags := sftp.OpenRead
	if put {
		flags = sftp.OpenWrite
	}
	c.send(b, &sftp.Request{Op: sftp.OpOpen, Path: file, Flags: flags})
	h := c.recv(b)
	depth := min(64, 2<<20/chunk)
	data := make([]byte, chunk)
	tokens := make(chan struct{}, depth)
	done := make(chan struct{})
	n := (size + chunk - 1) / chunk
	go func() {
		defer close(done)
		for range n {
			p := c.recv(b)
			if put && p.Status != sftp.StatusOK || !put && p.Kind != sftp.ReplyData {
				b.Errorf("%+v", p)
			}
			<-tokens
		}
	}()
	for at := 0; at < size; at += chunk {
		tokens <- struct{}{}
		q := sftp.Request{Op: sftp.OpRead, Handle: h.Handle, Offset: uint64(at), Length: uint64(chunk)}
		if put {
			q.Op, q.Data = sftp.OpWrite, data[:min(chunk, size-at)]
		}
		c.send(b, &q)
	}
	<-done
}
