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
	// flushSize is the number of waiting bytes at which they are written without further delay.
	flushSize = 256 << 10
	// maxUnwritten is the maximum number of waiting bytes while the output blocks. More lines are dropped,
	// so that no request waits for its log line.
	maxUnwritten = 8 << 20
	// closeTimeout is how long close waits for the output.
	closeTimeout = time.Second
)

// lineBuffer collects lines. One goroutine writes them. For a request, logging is an append under a mutex,
// whatever the state of the output.
type lineBuffer struct {
	out    io.Writer
	report func(lines int) []byte // makes the line that reports dropped lines

	total atomic.Int64 // number of dropped lines since the start
	kick  chan struct{}
	done  chan struct{}
	ended chan struct{}

	mu      sync.Mutex // guards the fields below
	waiting []byte
	spare   []byte
	dropped int // dropped lines that were not reported yet
}

func newLineBuffer(out io.Writer, report func(lines int) []byte) *lineBuffer {
	b := &lineBuffer{out: out, report: report, kick: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// run writes until done is closed.
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

// Write takes whole lines. It never fails and never waits. Lines that cannot be written are counted, and
// reported in the log later.
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

// drop counts dropped lines. The caller must hold the mutex.
func (b *lineBuffer) drop(lines int) {
	b.dropped += lines
	b.total.Add(int64(lines))
}

// flush starts writing the waiting lines and does not wait for it.
func (b *lineBuffer) flush() {
	select {
	case b.kick <- struct{}{}:
	default: // a flush is already requested
	}
}

var newline = []byte("\n")

// write writes all waiting lines.
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
	if cap(lines) <= 2*flushSize { // do not keep a larger buffer
		b.spare = lines
	}
}

// close writes the waiting lines, for closeTimeout at most. Lines that are written to the buffer afterwards
// are lost.
func (b *lineBuffer) close() {
	close(b.done)
	select {
	case <-b.ended:
	case <-time.After(closeTimeout):
	}
}
