package app

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushInterval is how long a line may wait before it is written.
	flushInterval = 50 * time.Millisecond
	// flushSize is how many bytes may wait before they are written without waiting for more.
	flushSize = 256 << 10
	// maxUnwritten is how many bytes may wait while out does not take them. Lines beyond that are dropped: a
	// request never waits for its line.
	maxUnwritten = 8 << 20
	// closeTimeout is for how long close waits for out.
	closeTimeout = time.Second
)

// lineBuffer collects lines, which one goroutine writes together. On the way of a request it costs an
// append under a mutex, whatever becomes of what is written.
type lineBuffer struct {
	out    io.Writer
	report func(lines int) []byte // the line that says that so many were dropped

	total atomic.Int64 // lines that were dropped, since start
	kick  chan struct{}
	done  chan struct{}
	ended chan struct{}

	mu      sync.Mutex // guards what follows
	waiting []byte
	spare   []byte
	dropped int // lines that were dropped and not yet said to be
}

func newLineBuffer(out io.Writer, report func(lines int) []byte) *lineBuffer {
	b := &lineBuffer{out: out, report: report, kick: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// run writes until done.
func (b *lineBuffer) run() {
	defer close(b.ended)
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-b.kick:
		case <-b.done:
			b.write()
			return
		}
		b.write()
	}
}

// Write takes lines, whole ones. It never fails and never waits: what cannot be written is counted, and
// said in the log when that can be written to again.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	if len(b.waiting)+len(p) > maxUnwritten {
		b.drop(bytes.Count(p, newline))
		b.mu.Unlock()
		return len(p), nil
	}
	b.waiting = append(b.waiting, p...)
	full := len(b.waiting) >= flushSize
	b.mu.Unlock()
	if full {
		b.flush()
	}
	return len(p), nil
}

// drop counts lines that will not be written. Whoever calls it holds the mutex.
func (b *lineBuffer) drop(lines int) {
	b.dropped += lines
	b.total.Add(int64(lines))
}

// flush has what waits written now, and does not wait for it.
func (b *lineBuffer) flush() {
	select {
	case b.kick <- struct{}{}:
	default: // it is about to be
	}
}

var newline = []byte("\n")

// write writes all that waits.
func (b *lineBuffer) write() {
	b.mu.Lock()
	lines, dropped := b.waiting, b.dropped
	b.waiting, b.spare = b.spare[:0], nil
	b.mu.Unlock()
	if dropped > 0 && len(lines) > 0 {
		if _, err := b.out.Write(b.report(dropped)); err == nil {
			b.mu.Lock()
			b.dropped -= dropped
			b.mu.Unlock()
		}
	}
	written := len(lines)
	if len(lines) > 0 {
		if n, err := b.out.Write(lines); err != nil {
			written = min(n, len(lines))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(bytes.Count(lines[written:], newline))
	if cap(lines) <= 2*flushSize { // a larger one has served its time
		b.spare = lines
	}
}

// close writes what is left, for as long as closeTimeout. The buffer may still be written to: such
// lines are lost.
func (b *lineBuffer) close() {
	close(b.done)
	select {
	case <-b.ended:
	case <-time.After(closeTimeout):
	}
}
