package repository

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"chit/models"
)

const (
	// knownQueries and strangerQueries are how many queries are under way at once, for clients that are
	// kept, or were until they changed, and for all others: made-up ids cannot take the database for
	// themselves.
	knownQueries    = 4
	strangerQueries = 2
	// maxAsked is how many clients one query asks for.
	maxAsked = 256
)

// lane is where loads wait for a query, which takes along all that wait.
type lane struct {
	most     int // queries at once
	underWay int
	waiting  []*flight
}

// flight is one load of a row, for any number of requests that wait for it.
type flight struct {
	id       string
	done     chan struct{} // closed when row and err are set
	row      row
	err      error
	begun    bool // it is in a query; guarded by Cache.mu, as outdated is
	outdated bool // the row was changed since it began
}

// wanted is what a request wants of a load.
type wanted struct {
	since time.Time // the row as it was then or later
	now   time.Time // when the request came: that there is no such client must have been so then
	known bool      // the client is kept, so it exists, or did
}

// load waits for a load of the row. It joins one that is under way, unless that turns out to have
// begun too early.
func (c *Cache) load(ctx context.Context, id string, w wanted) (*models.Client, error) {
	for {
		f := c.join(id, w)
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, unavailable("find client", ctx.Err())
		}
		unknown := errors.Is(f.err, models.ErrClientNotFound)
		tooEarly := f.row.readAt.Before(w.since) || unknown && f.row.readAt.Before(w.now)
		if (f.err == nil || unknown) && tooEarly {
			continue
		}
		return f.row.client, f.err
	}
}

// join returns the load that is under way for id, one that has landed since the request looked, or
// a new one.
func (c *Cache) join(id string, w wanted) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, underWay := c.flights[id]; underWay {
		return f
	}
	f := &flight{id: id, done: make(chan struct{})}
	if kept, found := c.rows.GetIfPresent(id); found && c.answers(kept, w.since, c.now()) {
		f.row = kept
		close(f.done)
		return f
	}
	c.flights[id] = f
	l := &c.strangers
	if w.known {
		l = &c.known
	}
	l.waiting = append(l.waiting, f)
	if l.underWay < l.most {
		l.underWay++
		go c.query(l)
	}
	return f
}

// query asks the database for all that waits, until nothing does. It belongs to no request: one that
// goes away takes nobody's answer along.
func (c *Cache) query(l *lane) {
	for {
		flights := c.board(l)
		if len(flights) == 0 {
			return
		}
		c.ask(flights)
		for _, f := range flights {
			c.land(f)
		}
	}
}

// board takes what waits, at most for one query. When it returns nothing, the query's place is free.
func (c *Cache) board(l *lane) []*flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	flights := l.waiting[:min(maxAsked, len(l.waiting))]
	l.waiting = l.waiting[len(flights):]
	if len(flights) == 0 {
		l.underWay--
		l.waiting = nil
	}
	now := c.now()
	for _, f := range flights {
		f.begun, f.row.readAt = true, now
	}
	return flights
}

// ask asks the database for the clients of the flights, all of another id, and sets what it finds. A
// row that cannot be read fails alone: the others are asked for without it.
func (c *Cache) ask(flights []*flight) {
	clients, err := c.find(flights)
	switch {
	case errors.Is(err, errOutage):
		now := c.now()
		c.failed.Store(&now)
	case concernsRow(err) && len(flights) > 1:
		c.ask(flights[:len(flights)/2])
		c.ask(flights[len(flights)/2:])
		return
	default:
		c.failed.Store(nil)
	}
	for _, f := range flights {
		f.row.client, f.err = clients[f.id], err
		if err == nil && f.row.client == nil {
			f.err = models.ErrClientNotFound
		}
	}
}

func (c *Cache) find(flights []*flight) (_ map[string]*models.Client, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	defer func() {
		if fault := recover(); fault != nil {
			err = unavailable("find clients", fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
		}
	}()
	ids := make([]string, len(flights))
	for i, f := range flights {
		ids[i] = f.id
	}
	c.loads.Add(1)
	return c.source.FindMany(ctx, ids)
}

// land keeps what a load has found, unless the row was changed since it began.
func (c *Cache) land(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.outdated {
		delete(c.flights, f.id)
		switch {
		case f.err == nil:
			c.rows.Set(f.id, f.row)
		case errors.Is(f.err, models.ErrClientNotFound):
			c.rows.Invalidate(f.id)
		}
	}
	close(f.done)
}
