package transport

import "sync"

// Buffers are the read and batch buffers that connections share. A connection
// at rest holds none of them.
type Buffers struct {
	// OnBulk, if set, is called once, when one of them first moves bulk. It must
	// not wait.
	OnBulk func()

	read  [len(readSizes)]sync.Pool
	batch sync.Pool
	bulk  sync.Once
}

func (p *Buffers) moves() {
	if p.OnBulk != nil {
		p.bulk.Do(p.OnBulk)
	}
}

// readSizes are the in-buffers. Half a MiB receives at half the processor time
// of 64 KiB, a whole MiB no better (0.90, 0.80, 0.65, 0.50, 0.57 s/GB at 64,
// 128, 256, 512, 1024 KiB); it must exceed two of the largest packets.
var readSizes = [...]int{4 << 10, 16 << 10, 64 << 10, 576 << 10}

func (p *Buffers) getRead(class int) *[]byte {
	if b, _ := p.read[class].Get().(*[]byte); b != nil {
		return b
	}
	if class == len(readSizes)-1 {
		p.moves()
	}
	b := make([]byte, readSizes[class])
	return &b
}

func (p *Buffers) putRead(class int, b *[]byte) { p.read[class].Put(b) }

// batchSize is the room of one bulk batch: 256 KiB of data and what packets
// add. Larger ones gain nothing and delay other channels.
const (
	batchData = 256 << 10
	batchSize = batchData + 32<<10
)

func (p *Buffers) getBatch() *[]byte {
	if b, _ := p.batch.Get().(*[]byte); b != nil {
		return b
	}
	p.moves()
	b := make([]byte, batchSize)
	return &b
}

func (p *Buffers) putBatch(b *[]byte) { p.batch.Put(b) }
