package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

// The handler writes exactly what slog's own handler writes.
func TestLinesAreSlogsOwn(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)
	for _, record := range []struct {
		message    string
		attributes []slog.Attr
	}{
		{"plain", nil},
		{`quotes " and \ and <html> & more`, []slog.Attr{slog.String("größe", "a\nb\x00\xff\u2028\x7f")}},
		{"numbers", []slog.Attr{slog.Int("i", -1), slog.Float64("f", 1.25), slog.Float64("zero", 0), slog.Bool("b", true)}},
		{"odd numbers", []slog.Attr{slog.Float64("big", 1e300), slog.Float64("small", 1e-300), slog.Float64("negative", -0.5), slog.Float64("nan", math.NaN())}},
		{"others", []slog.Attr{slog.Duration("d", time.Second), slog.Time("t", at), slog.Any("e", errors.New("x")), slog.Group("g", slog.Int("i", 1)), slog.Uint64("u", 1)}},
	} {
		r := slog.NewRecord(at, slog.LevelInfo, record.message, 0)
		r.AddAttrs(record.attributes...)
		var want, got bytes.Buffer
		if err := slog.NewJSONHandler(&want, nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		buffer := newLineBuffer(&got, nil)
		if err := (lineHandler{slog.NewJSONHandler(buffer, nil), buffer}).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		buffer.close()
		if got.String() != want.String() {
			t.Errorf("got  %swant %s", &got, &want)
		}
	}
}

// recorder records each write, and can refuse writes.
type recorder struct {
	mu     sync.Mutex
	writes []string
	err    error
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.writes, "")
}

func (r *recorder) has(t *testing.T, what string, check func(all string) bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !check(r.all()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %q", what, r.all())
		}
	}
}

func TestLinesAreWrittenTogether(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		out := &recorder{}
		log, buffer := newLogger(out, format, "info")
		for range 100 {
			log.Info("one of many")
		}
		log.Debug("not at this level")
		log.Warn("at once")
		out.has(t, "all lines up to the warning", func(all string) bool { return strings.Count(all, "\n") == 101 })
		out.mu.Lock()
		if len(out.writes) > 5 {
			t.Errorf("%s: %d writes", format, len(out.writes))
		}
		out.mu.Unlock()
		log.Info("late")
		out.has(t, "a line that nothing follows", func(all string) bool { return strings.Contains(all, "late") })
		log.Info("last")
		buffer.close()
		if !strings.Contains(out.all(), "last") {
			t.Errorf("%s: the last line is lost", format)
		}
	}
}

// Concurrent writes over many flushes lose no line and split none.
func TestLinesStayWhole(t *testing.T) {
	out := &recorder{}
	log, buffer := newLogger(out, "json", "info")
	text := strings.Repeat("x", 300)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 2000 {
				log.Info(text)
			}
		})
	}
	wait.Wait()
	buffer.close()
	lines := 0
	for line := range strings.Lines(out.all()) {
		lines++
		if !strings.HasPrefix(line, `{"time":"`) || !strings.HasSuffix(line, text+"\"}\n") {
			t.Fatalf("torn: %s", line)
		}
	}
	if lines != 16_000 {
		t.Errorf("%d lines", lines)
	}
}

// Lines that cannot be written are counted. The log reports them once when it can be written to again.
func TestLostLinesAreSaid(t *testing.T) {
	for format, want := range map[string]string{"json": `,"lines":2}`, "text": " lines=2\n"} {
		out := &recorder{err: errors.New("disk full")}
		log, buffer := newLogger(out, format, "info")
		log.Warn("lost")
		waitFor(t, "the first line to be lost", func() bool { return buffer.total.Load() == 1 })
		log.Warn("lost")
		waitFor(t, "the second line to be lost", func() bool { return buffer.total.Load() == 2 })
		out.mu.Lock()
		out.err = nil
		out.mu.Unlock()
		log.Info("kept")
		log.Warn("kept too")
		buffer.close()
		if got := out.all(); strings.Count(got, want) != 1 || strings.Count(got, "kept") != 2 || strings.Contains(got, `msg":"lost"`) {
			t.Errorf("got %q", got)
		}
	}
}

// stuck is a writer that blocks until it is released.
type stuck struct {
	recorder
	release chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	return s.recorder.Write(p)
}

// A reader that has stopped delays no logging, takes a limited amount of memory, and does not keep the
// server from stopping.
func TestStuckReader(t *testing.T) {
	out := &stuck{release: make(chan struct{})}
	log, buffer := newLogger(out, "json", "info")
	line := strings.Repeat("x", 1000)
	const lines = 3 * maxUnwritten / 1000
	for range lines {
		log.Warn(line)
	}
	buffer.mu.Lock()
	if len(buffer.waiting) > maxUnwritten {
		t.Errorf("%d bytes wait", len(buffer.waiting))
	}
	buffer.mu.Unlock()
	if buffer.total.Load() < lines/3 {
		t.Errorf("only %d of %d lines are dropped", buffer.total.Load(), lines)
	}
	close(out.release)
	waitFor(t, "what waited to be written", func() bool {
		buffer.mu.Lock()
		defer buffer.mu.Unlock()
		return len(buffer.waiting) == 0
	})
	log.Warn("after")
	out.has(t, "the line after", func(all string) bool { return strings.Contains(all, "after") })
	out.has(t, "the line on what was dropped", func(all string) bool {
		return strings.Count(all, "lines were dropped") == 1 && strings.Count(all, "\n") == lines+2-int(buffer.total.Load())
	})
	buffer.close()

	out = &stuck{release: make(chan struct{})}
	defer close(out.release)
	log, buffer = newLogger(out, "json", "info")
	log.Warn("never read")
	buffer.close() // a test that hangs here fails
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for", what)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	attributes := []slog.Attr{
		slog.String("request_id", "HPP7M254F7XZGXGDVDLVJCMCZS"), slog.String("method", "POST"), slog.String("route", "/token"),
		slog.Int("status", 200), slog.Float64("duration_ms", 1.387), slog.String("remote", "127.0.0.1"), slog.String("event", "token_issued"),
		slog.String("client_id", "my-machine-client"), slog.String("jti", strings.Repeat("0", 64)),
	}
	buffer := newLineBuffer(io.Discard, nil)
	for name, handler := range map[string]slog.Handler{
		"slog":            slog.NewJSONHandler(io.Discard, nil),
		"slog, buffered":  slog.NewJSONHandler(buffer, nil),
		"lines, buffered": lineHandler{slog.NewJSONHandler(buffer, nil), buffer},
	} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(handler)
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(context.Background(), slog.LevelInfo, "request", attributes...)
			}
		})
	}
}
