package repository

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"chit/models"
	"chit/traces"
)

const (
	// knownQueries and strangerQueries limit the queries in flight. The first is for clients that the cache
	// knows, the second for all others. So made-up ids do not keep the database from known clients.
	knownQueries    = 4
	strangerQueries = 2
	// maxAsked is the maximum number of clients in one query.
	maxAsked = 256
)

// lane is a queue of loads. A query takes all loads that wait, up to maxAsked.
type lane struct {
	most     int // maximum number of queries in flight
	underWay int
	waiting  []*flight
}

// flight is one load of a row. Any number of requests may wait for it.
type flight struct {
	id       string
	done     chan struct{} // closed when row and err are set
	row      row
	err      error
	span     trace.Span // of the request that began it, if that is traced
	begun    bool       // its query has begun; guarded by Cache.mu, as outdated is
	outdated bool       // the row was changed after the query began
}

// wanted is what a request needs from a load.
type wanted struct {
	since time.Time // the row must have been read at this time or later
	now   time.Time // when the request came; "not found" must have been true at this time or later
	known bool      // the cache has a row for this client, current or not
}

// load waits for a load of the row. It joins a load in flight, and tries again if that one began too early.
func (c *Cache) load(ctx context.Context, id string, w wanted) (*models.Client, error) {
	for {
		f := c.join(ctx, id, w)
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

// join returns the load in flight for this id, the result of one that has just ended, or a new one.
func (c *Cache) join(ctx context.Context, id string, w wanted) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, underWay := c.flights[id]; underWay {
		return f
	}
	f := &flight{id: id, done: make(chan struct{}), span: traces.Recorded(ctx)}
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

// query runs queries for the loads that wait, until none waits. It does not use the context of a request,
// because a request that is cancelled must not fail the others.
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

// board takes the loads for one query. It returns nothing, and gives up the query's place, if none waits.
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

// ask queries the database for the clients of the flights and sets the results. The ids are all different.
// If a row cannot be read, ask splits the query, so that only that row fails.
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
	ctx, end := c.trace(ctx, flights)
	defer end()
	return c.source.FindMany(ctx, ids)
}

// land stores the result of a load, unless the row was changed after the query began.
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
