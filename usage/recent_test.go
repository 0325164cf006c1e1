package usage_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chit/usage"
)

func TestQuantile(t *testing.T) {
	bounds := []float64{0.001, 0.002, 0.004}
	for _, row := range []struct {
		counts []uint64
		q      float64
		want   time.Duration
	}{
		{[]uint64{0, 0, 0, 0}, 0.5, 0},
		{[]uint64{10, 0, 0, 0}, 0.5, 500 * time.Microsecond},
		{[]uint64{10, 0, 0, 0}, 1, time.Millisecond},
		{[]uint64{0, 100, 0, 0}, 0.5, 1500 * time.Microsecond},
		{[]uint64{98, 0, 2, 0}, 0.99, 3 * time.Millisecond},
		{[]uint64{1, 0, 0, 99}, 0.99, 4 * time.Millisecond}, // above all bounds
	} {
		h := usage.Histogram{Bounds: bounds, Counts: row.counts}
		if got := h.Quantile(row.q); (got - row.want).Abs() > time.Microsecond {
			t.Errorf("%v of %v: %v, want %v", row.q, row.counts, got, row.want)
		}
	}
	if got := (usage.Histogram{}).Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// The rates are those of the last seconds, and the quantiles of a minute are those of its requests.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fast, slow atomic.Uint64
		durations := func() usage.Histogram {
			return usage.Histogram{Bounds: []float64{0.001, 0.01}, Counts: []uint64{fast.Load(), slow.Load(), 0}}
		}
		tracker, stop := runningWith(t, durations)
		defer stop()
		time.Sleep(30 * time.Second)
		slow.Add(100) // a while ago
		time.Sleep(31 * time.Second)
		for range 24 {
			tracker.Used("a", time.Now()).Issued()
			tracker.Used("a", time.Now()).Introspected()
			tracker.Refused("")
			fast.Add(1)
			time.Sleep(500 * time.Millisecond)
		}
		now := tracker.Now()
		for name, rate := range map[string]float64{"issued": now.Issued, "introspected": now.Introspected, "refused": now.Refused} {
			if rate < 1.8 || rate > 2.2 {
				t.Errorf("%s: %v a second", name, rate)
			}
		}
		if now.P50 != 500*time.Microsecond || now.P99 != 990*time.Microsecond {
			t.Errorf("%+v", now)
		}
		time.Sleep(50 * time.Second)
		if now := tracker.Now(); now != (usage.Rates{}) {
			t.Errorf("later: %+v", now)
		}
		if minutes := tracker.Minutes(); minutes[0].P50 != 5500*time.Microsecond || minutes[1].P99 != 990*time.Microsecond || minutes[2].P50 != 0 {
			t.Errorf("%+v", minutes)
		}
	})
}

// The clients that are refused most come first. A client that is only refused is not recorded as used, and is
// forgotten after an hour.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorded
		tracker, _, stop := running(t, &r)
		defer stop()
		for range 3 {
			tracker.Refused("wrong")
		}
		tracker.Used("right", time.Now()).Issued()
		tracker.Refused("right")
		tracker.Refused("")
		time.Sleep(30 * time.Minute)
		got := tracker.Refusals(10)
		if len(got) != 2 || got[0].ClientID != "wrong" || got[0].Refused != 3 || got[0].LastUsed != nil || got[1].Refused != 1 {
			t.Errorf("%+v", got)
		}
		if top := tracker.Top(10); len(top) != 1 || top[0].ClientID != "right" {
			t.Errorf("%+v", top)
		}
		if uses, _ := r.so(); len(uses) != 1 {
			t.Errorf("recorded: %+v", uses)
		}
		time.Sleep(2 * time.Hour)
		if got := tracker.Refusals(10); len(got) != 0 {
			t.Errorf("in the end: %+v", got)
		}
	})
}
