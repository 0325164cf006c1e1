package guard

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func is(err, want error) bool { return errors.Is(err, want) && (want != nil || err == nil) }

// settleDown waits until answers may be kept although there was an event.
func settleDown() { time.Sleep(time.Duration(before) + 50*time.Millisecond) }

func TestOneIntrospectionForAnyNumberOfRequests(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token, dead := f.issue("alice"), mint()
	release := make(chan struct{})
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		<-release
		f.tell(w, r.FormValue("token"))
	})
	var wait sync.WaitGroup
	for i := range 1000 {
		wait.Go(func() {
			text, want := token, error(nil)
			if i%2 == 0 {
				text, want = dead, ErrInactive
			}
			if _, err := g.Check(t.Context(), text); !is(err, want) {
				t.Errorf("%v, not %v", err, want)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	close(release)
	wait.Wait()
	for range 1000 {
		f.expect(g, token, nil, 0)
		f.expect(g, dead, ErrInactive, 0)
	}
	if f.asked.Load() != 2 {
		t.Errorf("%d introspections", f.asked.Load())
	}
}

// A request that has looked for an answer just before it came does not ask again.
func TestAnswerThatCameMeanwhile(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	for token, active := range map[string]bool{f.issue("alice"): true, mint(): false} {
		_, _ = g.Check(t.Context(), token)
		before := f.asked.Load()
		joined := g.join(sha256.Sum256([]byte(token)), token)
		if <-joined.done; joined.err != nil || joined.answer.active != active || f.asked.Load() != before {
			t.Errorf("%t: %+v, %d introspections more", active, joined, f.asked.Load()-before)
		}
	}
}

func TestEventsVoidAnswers(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	alice, other, bob, dead := f.issue("alice"), f.issue("alice"), f.issue("bob"), mint()
	all := []string{alice, other, bob}
	for _, row := range []struct {
		name, event, data string
		asks              []int64 // introspections for alice, other, bob and the dead token
	}{
		{"token", "token", `{"jti":"` + jti(alice) + `"}`, []int64{1, 0, 0, 0}},
		{"client", "client", `{"client_id":"alice"}`, []int64{1, 1, 0, 1}},
		{"all", "all", `{}`, []int64{1, 1, 1, 1}},
		{"unknown event", "other", `x`, []int64{0, 0, 0, 0}},
	} {
		settleDown()
		for _, token := range all {
			_, _ = g.Check(t.Context(), token)
		}
		_, _ = g.Check(t.Context(), dead)
		f.send(row.event, row.data)
		for i, token := range all {
			t.Log(row.name, i)
			f.expect(g, token, nil, row.asks[i])
		}
		f.expect(g, dead, ErrInactive, row.asks[3])
	}
}

// A node that has not heard of a change yet answers for up to a second as before. Such an answer is not kept.
func TestAnswerOfANodeThatIsBehind(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	f.send("client", `{"client_id":"alice"}`)
	f.expect(g, token, nil, 1) // the other node still says that it is active
	f.end(token)               // now it has heard
	f.expect(g, token, ErrInactive, 1)
	f.expect(g, token, ErrInactive, 0) // an inactive answer is kept for a moment
	settleDown()
	f.expect(g, token, ErrInactive, 1)
	f.expect(g, token, ErrInactive, 0)
}

// An answer that was asked for before an event and arrives after it is not kept, and requests that began
// after the event do not get it.
func TestAnswerThatWasAskedForBeforeAnEvent(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	arrived, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		if first.CompareAndSwap(false, true) {
			answer := httptest.NewRecorder()
			f.tell(answer, r.FormValue("token")) // the answer is made before the revocation
			close(arrived)
			<-release
			_, _ = w.Write(answer.Body.Bytes())
			return
		}
		f.tell(w, r.FormValue("token"))
	})
	outcomes := make(chan error, 2)
	check := func() {
		_, err := g.Check(t.Context(), token)
		outcomes <- err
	}
	go check()
	<-arrived
	f.end(token)
	f.send("token", `{"jti":"`+jti(token)+`"}`)
	go check() // joins the introspection in flight
	time.Sleep(20 * time.Millisecond)
	close(release)
	if a, b := <-outcomes, <-outcomes; (a == nil) == (b == nil) {
		t.Errorf("the request before the event and the one after it get %v and %v", a, b)
	}
	if _, err := g.Check(t.Context(), token); !is(err, ErrInactive) {
		t.Errorf("later: %v", err)
	}
}

// A token is issued, revoked and introspected within a millisecond.
func TestTokenOfAMillisecond(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	for range 200 {
		token := f.issue("alice")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = g.Check(t.Context(), token) // either outcome is right
		}()
		f.end(token)
		f.mu.Lock()
		for events := range f.streams {
			events <- "event: token\ndata: {\"jti\":\"" + jti(token) + "\"}\n\n"
		}
		f.mu.Unlock()
		<-done
		until(t, "the token is refused", func() bool {
			_, err := g.Check(t.Context(), token)
			return is(err, ErrInactive)
		})
	}
}

func TestStaleAnswersAreNotKept(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Chit-Stale", "true")
		f.tell(w, r.FormValue("token"))
	})
	f.expect(g, token, nil, 1)
	f.expect(g, token, nil, 1)
}

// If a node does not hear of changes itself, the guard asks another one.
func TestStaleNode(t *testing.T) {
	f := newFake(t)
	token := f.issue("alice")
	stale := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Chit-Stale", "true")
		f.handler().ServeHTTP(w, r)
	}))
	defer stale.Close()
	defer stale.CloseClientConnections()
	g := f.guard(func(c *Config) { c.Addresses = []string{stale.URL, f.URL} })
	f.expect(g, token, nil, 2)
	f.expect(g, token, nil, 0)
}

func TestTextThatIsNoTokenCostsNoCall(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := mint()
	for _, text := range []string{"", "x", token + "A", token[1:], strings.ToLower(token), "chit" + token[4:60] + "AAAAAAAA",
		"_" + token, strings.Repeat("a", 1<<20), token[:len(token)-1] + "\x00", "é" + token} {
		f.expect(g, text, ErrInactive, 0)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFake(t)
	g := f.guard(func(c *Config) { c.MaxTokens = 100 })
	favourite := f.issue("alice")
	for range 500 {
		for _, token := range []string{f.issue("alice"), mint()} {
			_, _ = g.Check(t.Context(), token)
		}
		if _, err := g.Check(t.Context(), favourite); err != nil {
			t.Fatal(err)
		}
	}
	if s := g.Stats(); s.Active != 100 || s.Inactive != 25 {
		t.Errorf("%+v", s)
	}
}

// expiring answers with a token that the server's clock says to live for a time.
func (f *fake) expiring(server func() time.Time, lives time.Duration) {
	expires := server().Add(lives).Unix()
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		now := server()
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if now.Unix() >= expires {
			fmt.Fprint(w, `{"active":false}`)
			return
		}
		fmt.Fprintf(w, `{"active":true,"client_id":"alice","exp":%d,"iat":%d,"jti":%q}`, expires, now.Unix(), jti(r.FormValue("token")))
	})
}

// An answer is not used after exp, by the clock of the server.
func TestExpiry(t *testing.T) {
	for _, offset := range []time.Duration{0, time.Hour, -time.Hour} {
		f := newFake(t)
		g := f.guard()
		began, token := time.Now(), mint()
		server := func() time.Time { return time.Now().Add(offset) }
		f.expiring(server, 3*time.Second)
		f.expect(g, token, nil, 1)
		f.expect(g, token, nil, 0)
		until(t, "the token has expired", func() bool {
			_, err := g.Check(t.Context(), token)
			return is(err, ErrInactive)
		})
		if took := time.Since(began); took > 3500*time.Millisecond || took < 1900*time.Millisecond {
			t.Errorf("a clock %v ahead: it has expired after %v", offset, took)
		}
	}
}

// A machine is suspended for two hours: its elapsed time stands still, and the calendar goes on.
func TestClockThatJumps(t *testing.T) {
	f := newFake(t)
	var jump atomic.Int64
	real := newClock()
	g := f.guardAt(func() (int64, int64) {
		elapsed, calendar := real()
		return elapsed, calendar + jump.Load()
	})
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	f.silent.Store(true)
	jump.Store(int64(10 * time.Minute))
	f.expect(g, token, nil, 1) // the last heartbeat is old by the calendar
	f.silent.Store(false)
	until(t, "a heartbeat has come", func() bool { return g.hears(g.clock()) })
	f.expect(g, token, nil, 0)
	jump.Store(int64(2 * time.Hour))
	until(t, "a heartbeat has come", func() bool { return g.hears(g.clock()) })
	f.expect(g, token, nil, 1) // it has expired by the calendar; the fake server says that it lives
	jump.Store(-int64(time.Hour))
	f.expect(g, token, nil, 0)
}
