package admin

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	workers    = 2   // revocations that are worked on at the same time
	keptTasks  = 100 // tasks that are shown after their end
	firstPause = time.Second
	longPause  = 30 * time.Second
	patience   = time.Hour // after that long a task that fails ends: most of its keys have expired
)

// Promptly is how long an answer to an operator waits for a revocation to be finished. Even a small one takes
// 100 ms.
const Promptly = 300 * time.Millisecond

// Work finishes revocations in the background. The tokens are inactive already; the work frees memory in
// Redis. If Redis fails, it tries again.
type Work struct {
	ctx     context.Context
	stop    context.CancelFunc
	log     *slog.Logger
	places  chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex // guards tasks and their states
	tasks []*Task    // in the order of their start
}

// Task is a revocation whose keys are deleted in the background.
type Task struct {
	of         *Work
	revocation *Revocation
	ended      chan struct{}
	state      Progressed
}

// Progressed is the state of a task.
type Progressed struct {
	ClientID    string // empty: of all clients
	StartedAt   time.Time
	EndedAt     time.Time // zero: it goes on
	KeysRemoved int       // so far
	Cause       error     // why it does not go on at the moment, or why it has ended early; nil: nothing is wrong
}

// NewWork returns work that goes on until Close.
func NewWork(log *slog.Logger) *Work {
	ctx, stop := context.WithCancel(context.Background())
	return &Work{ctx: ctx, stop: stop, log: log, places: make(chan struct{}, workers)}
}

// Close stops the work. What is left of the keys expires by itself. Start must not be called any more.
func (w *Work) Close() error {
	w.stop()
	w.running.Wait()
	return nil
}

// Start begins to finish a revocation. The caller must not use the revocation any more.
func (w *Work) Start(r *Revocation) *Task {
	t := &Task{of: w, revocation: r, ended: make(chan struct{}), state: Progressed{ClientID: r.ClientID, StartedAt: time.Now()}}
	w.mu.Lock()
	w.tasks = append(w.tasks, t)
	w.mu.Unlock()
	w.running.Go(t.run)
	return t
}

// Tasks returns the states of the tasks that go on and of the last ones that have ended, the latest first.
func (w *Work) Tasks() []Progressed {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]Progressed, 0, len(w.tasks))
	for _, t := range slices.Backward(w.tasks) {
		states = append(states, t.state)
	}
	return states
}

// InProgress returns the number of tasks that have not ended.
func (w *Work) InProgress() (count int) {
	for _, task := range w.Tasks() {
		if task.EndedAt.IsZero() {
			count++
		}
	}
	return count
}

// Wait waits for the end of the task, but not longer than limit, and returns its state.
func (t *Task) Wait(limit time.Duration) Progressed {
	select {
	case <-t.ended:
	case <-time.After(limit):
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	return t.state
}

// run works on the task until its keys are deleted. It waits for a place first.
func (t *Task) run() {
	w := t.of
	defer close(t.ended)
	pause := firstPause
	for {
		err := t.try()
		t.update(func(state *Progressed) { state.Cause = err })
		if err == nil || w.ctx.Err() != nil || time.Since(t.state.StartedAt) > patience {
			break
		}
		if pause == firstPause {
			w.log.Warn("the keys of revoked tokens cannot be deleted yet; the tokens are inactive", "client_id", t.state.ClientID, "cause", err.Error())
		}
		select {
		case <-time.After(pause):
		case <-w.ctx.Done():
		}
		pause = min(2*pause, longPause)
	}
	t.update(func(state *Progressed) { state.EndedAt = time.Now() })
	w.forget()
	if t.state.Cause != nil {
		w.log.Warn("some keys of revoked tokens are not deleted; they expire by themselves", "client_id", t.state.ClientID, "deleted", t.state.KeysRemoved, "cause", t.state.Cause.Error())
		return
	}
	w.log.Info("the keys of revoked tokens are deleted", "client_id", t.state.ClientID, "deleted", t.state.KeysRemoved)
}

// try works on the task once.
func (t *Task) try() error {
	select {
	case t.of.places <- struct{}{}:
	case <-t.of.ctx.Done():
		return t.of.ctx.Err()
	}
	defer func() { <-t.of.places }()
	if err := t.revocation.Settle(t.of.ctx); err != nil {
		return err
	}
	before := t.state.KeysRemoved
	ofOthers := 0 // keys of the clients before the one in work
	last := 0
	removed, err := t.revocation.Finish(t.of.ctx, func(_ string, done, total int) {
		if total == 0 {
			ofOthers, last = ofOthers+last, 0
			return
		}
		last = done
		t.update(func(state *Progressed) { state.KeysRemoved = before + ofOthers + done })
	})
	t.update(func(state *Progressed) { state.KeysRemoved = before + removed })
	if unfinished, is := errors.AsType[*Unfinished](err); is {
		err = unfinished.Cause
	}
	return err
}

func (t *Task) update(change func(*Progressed)) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	change(&t.state)
}

// forget removes the oldest tasks that have ended, if there are too many.
func (w *Work) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := 0
	for _, t := range slices.Backward(w.tasks) {
		if !t.state.EndedAt.IsZero() {
			ended++
		}
	}
	w.tasks = slices.DeleteFunc(w.tasks, func(t *Task) bool {
		if ended <= keptTasks || t.state.EndedAt.IsZero() {
			return false
		}
		ended--
		return true
	})
}
