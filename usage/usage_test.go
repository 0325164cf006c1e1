package usage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chit/models"
	"chit/usage"
)

// recorded are the uses that were recorded. It fails while err is set.
type recorded struct {
	mu    sync.Mutex
	err   error
	calls int
	uses  map[string]models.Use
}

func (r *recorded) record(_ context.Context, uses []models.Use) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return r.err
	}
	for _, use := range uses {
		if r.uses == nil {
			r.uses = map[string]models.Use{}
		}
		r.uses[use.ClientID] = use
	}
	return nil
}

// so returns what is recorded so far, and the number of calls.
func (r *recorded) so() (uses map[string]models.Use, calls int) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.uses), r.calls
}

// running starts a tracker. The function stops it and waits for its end.
func running(t *testing.T, r *recorded) (*usage.Tracker, *strings.Builder, func()) {
	t.Helper()
	return start(t, usage.New(time.Now, 0, nil), r)
}

// runningBy is running with a clock.
func runningBy(t *testing.T, now func() time.Time, r *recorded) (*usage.Tracker, *strings.Builder, func()) {
	t.Helper()
	return start(t, usage.New(now, 0, nil), r)
}

// runningWith is running with the durations of requests.
func runningWith(t *testing.T, durations func() usage.Histogram) (*usage.Tracker, func()) {
	t.Helper()
	tracker, _, stop := start(t, usage.New(time.Now, 0, durations), new(recorded))
	return tracker, stop
}

func start(t *testing.T, tracker *usage.Tracker, r *recorded) (*usage.Tracker, *strings.Builder, func()) {
	t.Helper()
	var log strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tracker.Run(ctx, r.record, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	return tracker, &log, func() { stop(); <-ended }
}

// A use is recorded within a minute, and only once.
func TestUsesAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorded
		tracker, _, stop := running(t, &r)
		defer stop()
		tracker.Used("asks", time.Now())
		tracker.Used("issues", time.Now()).Issued()
		at := time.Now().Unix()
		time.Sleep(time.Minute)
		uses, calls := r.so()
		asks, issues := uses["asks"], uses["issues"]
		if asks.LastUsedAt.Unix() != at || asks.LastTokenAt != nil || issues.LastUsedAt.Unix() != at || issues.LastTokenAt.Unix() != at {
			t.Errorf("%+v", uses)
		}
		if calls != 1 {
			t.Errorf("recorded %d times", calls)
		}
		tracker.Used("issues", time.Now())
		later := time.Now().Unix()
		time.Sleep(time.Minute)
		uses, _ = r.so()
		if got := uses["issues"]; got.LastUsedAt.Unix() != later || got.LastTokenAt.Unix() != at {
			t.Errorf("%+v", got)
		}
	})
}

// What could not be recorded is recorded later, and there is one warning.
func TestUsesOutliveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorded{err: errors.New("no database")}
		tracker, log, stop := running(t, &r)
		tracker.Used("first", time.Now())
		time.Sleep(2 * time.Minute)
		tracker.Used("second", time.Now())
		r.mu.Lock()
		r.err = nil
		r.mu.Unlock()
		stop() // what is left is recorded at the end
		if uses, _ := r.so(); len(uses) != 2 {
			t.Errorf("%+v", uses)
		}
		if strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "no database") {
			t.Errorf("the log: %s", log)
		}
	})
}

func TestMinutesOfTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker, _, stop := running(t, new(recorded))
		defer stop()
		began := time.Now()
		time.Sleep(30 * time.Second)
		tracker.Used("a", time.Now()).Issued()
		tracker.Used("a", time.Now()).Introspected()
		time.Sleep(time.Minute)
		tracker.Refused("")
		tracker.Refused("b")
		minutes := tracker.Minutes()
		want := []usage.Minute{{Start: began, Issued: 1, Introspected: 1}, {Start: began.Add(time.Minute), Refused: 2}}
		if fmt.Sprint(minutes) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", minutes, want)
		}
		time.Sleep(2 * time.Hour)
		if minutes = tracker.Minutes(); len(minutes) != 60 || minutes[0].Start.Before(time.Now().Add(-time.Hour)) {
			t.Errorf("%d minutes from %v", len(minutes), minutes[0].Start)
		}
		for _, minute := range minutes {
			if minute.Issued+minute.Introspected+minute.Refused != 0 {
				t.Errorf("%+v", minute)
			}
		}
		if !tracker.Since().Equal(began) {
			t.Errorf("since %v", tracker.Since())
		}
	})
}

// While a clock is slowed down, timers end early by it. Each minute still begins once.
func TestMinutesBySlowClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		slow := func() time.Time { return began.Add(time.Since(began) / 1000 * 999) }
		tracker, _, stop := runningBy(t, slow, new(recorded))
		defer stop()
		time.Sleep(10*time.Minute + 10*time.Second)
		if minutes := tracker.Minutes(); len(minutes) != 11 {
			t.Errorf("%d minutes have begun: %v", len(minutes), minutes)
		}
	})
}

// The busiest clients of the last hour come first. A client that was not seen for an hour is forgotten, but
// its use is recorded.
func TestTopClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorded
		tracker, _, stop := running(t, &r)
		defer stop()
		for range 3 {
			tracker.Used("early", time.Now()).Issued()
		}
		time.Sleep(30 * time.Minute)
		for range 2 {
			tracker.Used("late", time.Now()).Introspected()
		}
		tracker.Used("last", time.Now()).Issued()
		tracker.Used("idle", time.Now())
		want := []usage.Top{{ClientID: "early", Issued: 3}, {ClientID: "late", Introspected: 2}, {ClientID: "last", Issued: 1}}
		if got := tracker.Top(10); numbers(got) != numbers(want) || time.Since(*got[0].LastUsed) != 30*time.Minute || got[1].LastToken != nil {
			t.Errorf("%v, want %v", got, want)
		}
		if got := tracker.Top(2); len(got) != 2 {
			t.Errorf("%v", got)
		}
		time.Sleep(45 * time.Minute)
		if got := tracker.Top(10); numbers(got) != numbers(want[1:]) {
			t.Errorf("after an hour: %v", got)
		}
		time.Sleep(2 * time.Hour)
		uses, _ := r.so()
		if got := tracker.Top(10); len(got) != 0 || len(uses) != 4 {
			t.Errorf("in the end: %v, %v", got, uses)
		}
	})
}

func numbers(top []usage.Top) (text string) {
	for _, t := range top {
		text += fmt.Sprintln(t.ClientID, t.Issued, t.Introspected)
	}
	return text
}

// BenchmarkUsed is the cost for a request.
func BenchmarkUsed(b *testing.B) {
	tracker := usage.New(time.Now, 0, nil)
	now := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tracker.Used("client", now).Issued()
		}
	})
}
