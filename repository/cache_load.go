package repository

import (
	"context"
	"errors"
	"time"

	"chit/models"
)

// maxLoads is how many clients that are not kept are looked up at once: made-up ids cannot take the
// database for themselves.
const maxLoads = 8

// flight is one load of a row, for any number of requests that wait for it.
type flight struct {
	done     chan struct{} // closed when row and err are set
	row      row
	err      error
	outdated bool // the row was changed meanwhile; guarded by Cache.mu
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
	f := &flight{done: make(chan struct{})}
	if kept, found := c.rows.GetIfPresent(id); found && c.answers(kept, w.since, c.now()) {
		f.row = kept
		close(f.done)
		return f
	}
	c.flights[id] = f
	go c.fly(id, w.known, f)
	return f
}

// fly asks the database. It belongs to no request: one that goes away takes nobody's answer along.
func (c *Cache) fly(id string, known bool, f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	if !known {
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-ctx.Done():
			f.err = unavailable("find client: too many are asked for at once", ctx.Err())
			c.land(id, f)
			return
		}
	}
	c.loads.Add(1)
	f.row.readAt = c.now()
	f.row.client, f.err = c.source.Find(ctx, id)
	if errors.Is(f.err, models.ErrUnavailable) {
		now := c.now()
		c.failed.Store(&now)
	} else {
		c.failed.Store(nil)
	}
	c.land(id, f)
}

// land keeps what a load has found, unless the row was changed since it began.
func (c *Cache) land(id string, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.outdated {
		delete(c.flights, id)
		switch {
		case f.err == nil:
			c.rows.Set(id, f.row)
		case errors.Is(f.err, models.ErrClientNotFound):
			c.rows.Invalidate(id)
		}
	}
	close(f.done)
}
