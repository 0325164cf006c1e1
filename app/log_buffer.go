package app

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// flushInterval is how long a line may wait before it is written.
	flushInterval = 50 * time.Millisecond
	// flushSize is how many bytes may wait. A full buffer is written by whoever fills it, so a slow
	// disk slows requests rather than losing lines.
	flushSize = 256 << 10
)

// lineBuffer collects lines and writes them together. On the way of a request it costs an append
// under a mutex.
type lineBuffer struct {
	out  io.Writer
	done chan struct{}

	mu      sync.Mutex // guards waiting
	waiting []byte

	writing sync.Mutex // held while out is written to, so that lines stay in order
	spare   []byte
	lost    int // bytes that out did not take
}

func newLineBuffer(out io.Writer) *lineBuffer {
	b := &lineBuffer{out: out, done: make(chan struct{})}
	go func() {
		ticker := time.NewTicker(flushInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				b.flush()
			case <-b.done:
				return
			}
		}
	}()
	return b
}

// Write takes lines. It never fails: what cannot be written is counted, and said in the log when it
// can be written to again.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	b.waiting = append(b.waiting, p...)
	full := len(b.waiting) >= flushSize
	b.mu.Unlock()
	if full {
		b.flush()
	}
	return len(p), nil
}

// flush writes all that waits.
func (b *lineBuffer) flush() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	full := b.waiting
	b.waiting = b.spare[:0]
	b.mu.Unlock()
	b.spare = full
	if len(full) == 0 {
		return
	}
	if b.lost > 0 {
		full = append(fmt.Appendf(nil, "{\"level\":\"ERROR\",\"msg\":\"the log could not be written to\",\"lost_bytes\":%d}\n", b.lost), full...)
	}
	if n, err := b.out.Write(full); err != nil {
		b.lost += len(b.spare) - min(n, len(b.spare))
		return
	}
	b.lost = 0
}

// close writes what is left. The buffer may still be written to: such lines wait for a flush that
// comes with a warning or a full buffer.
func (b *lineBuffer) close() {
	close(b.done)
	b.flush()
}
