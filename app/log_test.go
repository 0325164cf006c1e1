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

// The handler writes to the byte what slog's own does.
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
		buffer := newLineBuffer(&got)
		if err := (lineHandler{slog.NewJSONHandler(buffer, nil), buffer}).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		buffer.close()
		if got.String() != want.String() {
			t.Errorf("got  %swant %s", &got, &want)
		}
	}
}

// recorder notes each write, and can refuse them.
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

func TestLinesAreWrittenTogether(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		out := &recorder{}
		log, closeLog := newLogger(out, format, "info")
		for range 100 {
			log.Info("one of many")
		}
		log.Debug("not at this level")
		log.Warn("at once")
		if got := strings.Count(out.all(), "\n"); got != 101 {
			t.Errorf("%s: %d lines after the warning", format, got)
		}
		if len(out.writes) > 5 {
			t.Errorf("%s: %d writes", format, len(out.writes))
		}
		log.Info("late")
		deadline := time.Now().Add(5 * time.Second)
		for !strings.Contains(out.all(), "late") {
			if time.Now().After(deadline) {
				t.Fatalf("%s: a line that nothing follows is not written", format)
			}
			time.Sleep(time.Millisecond)
		}
		log.Info("last")
		closeLog()
		if !strings.Contains(out.all(), "last") {
			t.Errorf("%s: the last line is lost", format)
		}
	}
}

// Many write at once, over many flushes: no line is lost or torn.
func TestLinesStayWhole(t *testing.T) {
	out := &recorder{}
	log, closeLog := newLogger(out, "json", "info")
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
	closeLog()
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

func TestLostLinesAreSaid(t *testing.T) {
	out := &recorder{err: errors.New("disk full")}
	buffer := newLineBuffer(out)
	defer buffer.close()
	io.WriteString(buffer, "lost\n")
	buffer.flush()
	out.mu.Lock()
	out.err = nil
	out.mu.Unlock()
	io.WriteString(buffer, "kept\n")
	buffer.flush()
	if got := out.all(); !strings.Contains(got, `"lost_bytes":5}`) || !strings.HasSuffix(got, "kept\n") {
		t.Errorf("got %q", got)
	}
}

func BenchmarkLog(b *testing.B) {
	attributes := []slog.Attr{
		slog.String("request_id", "HPP7M254F7XZGXGDVDLVJCMCZS"), slog.String("method", "POST"), slog.String("route", "/token"),
		slog.Int("status", 200), slog.Float64("duration_ms", 1.387), slog.String("remote", "127.0.0.1"), slog.String("event", "token_issued"),
		slog.String("client_id", "my-machine-client"), slog.String("jti", strings.Repeat("0", 64)),
	}
	buffer := newLineBuffer(io.Discard)
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
