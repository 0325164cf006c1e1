package keys_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/keys"
)

// library is a server of one key document, with a clock that only moves when it is told to.
type library struct {
	*keys.Documents
	t testing.TB

	mu    sync.Mutex // guards the fields below
	now   time.Time
	set   keys.Set
	err   error
	asked int
	hold  chan struct{} // an attempt waits until it is closed; nil: it does not
}

var at = keys.Source{URL: "https://example.com/keys"}

func newLibrary(t testing.TB) *library {
	l := &library{t: t, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	l.Documents = &keys.Documents{Now: l.clock, Log: slog.New(slog.DiscardHandler), Fetch: func(context.Context, keys.Source) (keys.Set, error) {
		l.mu.Lock()
		hold := l.hold
		l.asked++
		set, err := l.set, l.err
		l.mu.Unlock()
		if hold != nil {
			<-hold
		}
		return set, err
	}}
	return l
}

func (l *library) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *library) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

func (l *library) pass(d time.Duration) { l.change(func() { l.now = l.now.Add(d) }) }

func (l *library) publish(ids ...string) {
	var set keys.Set
	for _, id := range ids {
		set.Keys = append(set.Keys, keys.Key{ID: id})
	}
	l.change(func() { l.set, l.err = set, nil })
}

func (l *library) breakDown() { l.change(func() { l.err = errors.New("down") }) }

func (l *library) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// wait checks the key ids that a request has to wait for.
func (l *library) wait(want string) {
	l.t.Helper()
	if got := ids(l.Wait(l.t.Context(), at)); got != want {
		l.t.Errorf("after an attempt there are %q, want %q", got, want)
	}
}

// get checks the key ids that are known now.
func (l *library) get(want string) {
	l.t.Helper()
	if got := ids(l.Get(at)); got != want {
		l.t.Errorf("there are %q, want %q", got, want)
	}
}

func ids(set keys.Set, err error) (all string) {
	if errors.Is(err, keys.ErrNotNow) {
		return "not now"
	}
	for _, key := range set.Keys {
		all += key.ID
	}
	return all
}

// A document is fetched once, however many wait for it, and again for an unknown key at most every ten seconds.
func TestDocumentsAreFetchedOnce(t *testing.T) {
	l := newLibrary(t)
	l.publish("a")
	l.hold = make(chan struct{})
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() { l.wait("a") })
	}
	apptest.Eventually(t, 10*time.Second, "the attempt", func() bool { return l.attempts() == 1 })
	l.get("not now")
	close(l.hold)
	waiting.Wait()
	l.publish("a", "b")
	for range 50 {
		l.wait("a") // b is not known, and it is too early to ask again
		l.pass(100 * time.Millisecond)
	}
	l.get("a")
	l.pass(5 * time.Second)
	l.wait("ab")
	if attempts := l.attempts(); attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
}

// Jwkset GHSA-675f-rq2r-jw82: keys that are gone from a document stayed. Here they are gone within a minute,
// whether the document is in use or not.
func TestJwksetGHSA675fRemovedKeys(t *testing.T) {
	l := newLibrary(t)
	l.publish("a", "b")
	l.wait("ab")
	l.publish("b")
	l.pass(29 * time.Second)
	l.get("ab")
	l.pass(2 * time.Second)
	l.get("ab") // asks in the background
	apptest.Eventually(t, 10*time.Second, "the key is gone", func() bool { return ids(l.Get(at)) == "b" })
	l.publish()
	l.pass(56 * time.Second)
	l.get("not now") // nobody has used it meanwhile
	l.wait("")
}

// A document that cannot be had is used as it was for ten minutes, and no longer. Once it can be had again, its
// removed keys are gone as soon as ever.
func TestDocumentsOutOfReach(t *testing.T) {
	l := newLibrary(t)
	l.breakDown()
	l.wait("not now")
	l.publish("a")
	l.wait("not now") // too early to ask again
	l.pass(10 * time.Second)
	l.wait("a")
	l.breakDown()
	for range 59 {
		l.pass(10 * time.Second)
		l.wait("a")
		l.get("a")
	}
	l.pass(11 * time.Second)
	l.wait("not now")

	l.publish("a", "b")
	l.pass(10 * time.Second)
	l.wait("ab")
	l.breakDown()
	l.pass(time.Minute)
	l.wait("ab")
	l.publish("b")
	l.pass(5 * time.Minute) // nobody has asked meanwhile, so it may have been in reach again
	l.get("not now")
	l.wait("b")
}

// A request does not wait for longer than it may.
func TestDocumentsThatHang(t *testing.T) {
	l := newLibrary(t)
	l.hold = make(chan struct{})
	defer close(l.hold)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Wait(ctx, at); !errors.Is(err, keys.ErrNotNow) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A panic in an attempt is an error.
func TestDocumentsThatPanic(t *testing.T) {
	documents := keys.Documents{Now: time.Now, Log: slog.New(slog.DiscardHandler), Fetch: func(context.Context, keys.Source) (keys.Set, error) { panic("x") }}
	if _, err := documents.Wait(t.Context(), at); !errors.Is(err, keys.ErrNotNow) {
		t.Error(err)
	}
}
