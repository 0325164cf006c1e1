package admin_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"chit/admin"
)

// Keys that cannot be deleted now are deleted when Redis is back.
func TestWorkGoesOnAfterAnOutage(t *testing.T) {
	o := open(t)
	o.client(t, "billing-job")
	var log strings.Builder
	work := admin.NewWork(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { work.Close() })
	ended, err := o.RevokeTokens(t.Context(), "billing-job")
	if err != nil {
		t.Fatal(err)
	}
	o.redis.SetError("LOADING")
	task := work.Start(ended)
	state := task.Wait(0)
	for began := time.Now(); state.Cause == nil && time.Since(began) < 10*time.Second; {
		state = task.Wait(10 * time.Millisecond)
	}
	if state.Cause == nil || !state.EndedAt.IsZero() || state.ClientID != "billing-job" {
		t.Errorf("in the outage: %+v", state)
	}
	o.redis.SetError("")
	state = task.Wait(10 * time.Second)
	if state.Cause != nil || state.EndedAt.IsZero() || state.KeysRemoved != 2 {
		t.Errorf("afterwards: %+v", state)
	}
	if tasks := work.Tasks(); len(tasks) != 1 || tasks[0] != state {
		t.Errorf("%+v", tasks)
	}
	if strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("the log: %s", log.String())
	}
}

// Work that ends before its keys are deleted says so. It does not report that they are.
func TestWorkThatEndsEarly(t *testing.T) {
	o := open(t)
	o.client(t, "billing-job")
	var log strings.Builder
	work := admin.NewWork(slog.New(slog.NewTextHandler(&log, nil)))
	ended, err := o.RevokeTokens(t.Context(), "billing-job")
	if err != nil {
		t.Fatal(err)
	}
	o.redis.SetError("LOADING")
	task := work.Start(ended)
	work.Close()
	if state := task.Wait(0); state.Cause == nil || state.EndedAt.IsZero() {
		t.Errorf("%+v", state)
	}
	if !strings.Contains(log.String(), `level=WARN msg="some keys of revoked tokens are not deleted`) || strings.Contains(log.String(), "level=INFO") {
		t.Errorf("the log: %s", log.String())
	}
}

// All clients are one task. Only the last tasks are shown.
func TestTasks(t *testing.T) {
	o := open(t)
	o.client(t, "one")
	o.client(t, "two")
	work := admin.NewWork(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { work.Close() })
	for i := range 120 {
		ended, err := o.RevokeAllTokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if i == 0 {
			want = 4
		}
		if state := work.Start(ended).Wait(10 * time.Second); state.KeysRemoved != want || state.ClientID != "" || state.EndedAt.IsZero() {
			t.Fatalf("%d: %+v", i, state)
		}
		o.redis.FastForward(time.Second)
	}
	if tasks := work.Tasks(); len(tasks) != 100 || tasks[0].StartedAt.Before(tasks[99].StartedAt) {
		t.Errorf("%d tasks", len(tasks))
	}
}
