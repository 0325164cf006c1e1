package handlers

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	type key struct{}
	var d deadlines
	request, gone := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	began := time.Now()
	one, two := d.after(request, 50*time.Millisecond), d.after(t.Context(), 50*time.Millisecond)
	child, cancel := context.WithCancel(one)
	defer cancel()
	if one.Value(key{}) != "value" || child.Value(key{}) != "value" || two.Value(key{}) != nil {
		t.Errorf("values: %v, %v, %v", one.Value(key{}), child.Value(key{}), two.Value(key{}))
	}
	gone()
	if one.Err() != nil {
		t.Errorf("it ends with its client: %v", one.Err())
	}
	for _, ctx := range []context.Context{one, two, child} {
		<-ctx.Done()
		if took := time.Since(began); took < 50*time.Millisecond || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("after %v: %v", took, ctx.Err())
		}
	}
	if later := d.after(t.Context(), 50*time.Millisecond); later.Err() != nil {
		t.Error("a request of a later tick has ended before it began")
	}
}

func BenchmarkDeadline(b *testing.B) {
	request, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("of the request alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(request, time.Second)
			cancel()
		}
	})
	b.Run("shared", func(b *testing.B) {
		var d deadlines
		b.ReportAllocs()
		for b.Loop() {
			_ = d.after(request, time.Second).Err()
		}
	})
}
