package invalidations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/models"
)

// rig is a hub with two sources and a clock that the test moves.
type rig struct {
	*Hub
	database, redis *Source
	clock           time.Time
}

func newRig() *rig {
	r := &rig{Hub: NewHub(prometheus.NewRegistry()), clock: time.Now()}
	r.now = func() time.Time { return r.clock }
	r.database, r.redis = r.NewSource(true), r.NewSource(false)
	return r
}

// prove proves both sources at the present time.
func (r *rig) prove() {
	r.database.Proven(r.clock)
	r.redis.Proven(r.clock)
}

func (r *rig) pass(d time.Duration) { r.clock = r.clock.Add(d) }

// subscribe returns a receiver that has read what there is, and the names of those events.
func (r *rig) subscribe(t *testing.T) (*Receiver, string) {
	t.Helper()
	receiver, err := r.Subscribe(t.Context(), "api")
	if err != nil {
		t.Fatal(err)
	}
	return receiver, next(t, receiver)
}

// next returns the events that a receiver can read now, without their data.
func next(t *testing.T, r *Receiver) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var names []string
	for {
		batch, err := r.Next(ctx, nil)
		for line := range strings.Lines(string(batch.Text)) {
			if name, is := strings.CutPrefix(line, "event: "); is {
				names = append(names, strings.TrimSpace(name))
			}
		}
		if err != nil {
			return strings.Join(names, " ")
		}
	}
}

func TestHeartbeatsNeedFreshProofs(t *testing.T) {
	r := newRig()
	r.prove()
	r.pass(time.Minute)
	receiver, first := r.subscribe(t)
	if first != "ready" {
		t.Errorf("a new receiver gets %q", first)
	}
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"both are proven", r.prove, "heartbeat"},
		{"again after 100 ms", func() { r.pass(100 * time.Millisecond); r.prove() }, ""},
		{"again after 250 ms", func() { r.pass(150 * time.Millisecond); r.prove() }, "heartbeat"},
		{"one proof is old", func() { r.pass(250 * time.Millisecond); r.redis.Proven(r.clock) }, ""},
		{"the other is old", func() { r.pass(250 * time.Millisecond); r.database.Proven(r.clock) }, ""},
		{"a loss", func() { r.redis.Lost(); r.database.Proven(r.clock) }, ""},
		{"the end of the loss", r.prove, "all heartbeat"},
		{"two losses of both", func() {
			r.pass(time.Second)
			r.redis.Lost()
			r.database.Lost()
			r.redis.Lost()
			r.redis.Proven(r.clock)
		}, "all"},
		{"the end of both", func() { r.database.Proven(r.clock) }, "all heartbeat"},
	} {
		step.do()
		if got := next(t, receiver); got != step.want {
			t.Errorf("%s: %q, not %q", step.name, got, step.want)
		}
	}
}

func TestNewReceiversGetWhatOthersMayNotHaveHeard(t *testing.T) {
	r := newRig()
	r.prove()
	r.pass(2 * time.Second)
	r.prove()
	r.database.ClientChanged("old")
	r.pass(time.Second)
	r.redis.TokenEnded("x")
	r.redis.AllChanged()
	r.database.ClientChanged("new")
	r.prove()
	if _, got := r.subscribe(t); got != "ready client" {
		t.Errorf("%q", got)
	}
	for i := range logLength {
		r.database.ClientChanged(fmt.Sprint(i))
	}
	if _, got := r.subscribe(t); got != "ready all" {
		t.Errorf("after more events than the log holds: %q", got)
	}
}

func TestReceiverThatIsFarBehind(t *testing.T) {
	r := newRig()
	r.prove()
	r.pass(time.Minute)
	receiver, _ := r.subscribe(t)
	for i := range logLength + 1 {
		r.redis.TokenEnded(fmt.Sprint(i))
	}
	if got := next(t, receiver); got != "all" {
		t.Errorf("%.100q", got)
	}
	r.redis.TokenEnded("x")
	if got := next(t, receiver); got != "token" {
		t.Errorf("later: %.100q", got)
	}
	for i := range logLength {
		r.redis.TokenEnded(fmt.Sprint(i))
	}
	if got := strings.Count(next(t, receiver), "token"); got != logLength {
		t.Errorf("a full log: %d events", got)
	}
}

func TestSubscribeWaitsForHearing(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Subscribe(ctx, "api"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("a deaf node: %v", err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		r.prove()
	}()
	receiver, err := r.Subscribe(t.Context(), "api")
	if err != nil {
		t.Fatal(err)
	}
	r.redis.TokenEnded("x")
	r.Close()
	if got := next(t, receiver); !strings.HasSuffix(got, "token") {
		t.Errorf("the events before the end: %q", got)
	}
	if _, err := receiver.Next(t.Context(), nil); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	receiver.Close()
	if _, err := r.Subscribe(t.Context(), "api"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("a stopped server: %v", err)
	}
}

func TestOwnClientVoidsAll(t *testing.T) {
	r := newRig()
	r.prove()
	r.pass(time.Minute)
	receiver, _ := r.subscribe(t)
	r.database.ClientChanged("api")
	r.database.ClientChanged("other\nclient\"")
	batch, err := receiver.Next(t.Context(), nil)
	const want = "event: client\ndata: {\"client_id\":\"api\"}\n\nevent: all\ndata: {}\n\nevent: client\ndata: {\"client_id\":\"other\\nclient\\\"\"}\n\n"
	if string(batch.Text) != want || err != nil || !batch.Concerned {
		t.Errorf("%q %v", batch.Text, err)
	}
}
