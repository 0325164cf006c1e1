package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"go.opentelemetry.io/otel/trace"

	"chit/models"
)

const (
	// trust is how long the cache uses a row without a heartbeat from the database. A change must be in
	// force within a second, and a request takes time, too.
	trust = 800 * time.Millisecond
	// maxAge is the age at which the cache reads a row again in any case, because some statements bypass
	// triggers.
	maxAge = 5 * time.Minute
	// patience is how long a request waits for the database if the cache has a row to fall back on.
	patience = 250 * time.Millisecond
	// retryPause is how long the cache does not ask the database after a failure, if it has a row to fall
	// back on.
	retryPause = 200 * time.Millisecond
)

// source is where the cache reads clients from.
type source interface {
	FindMany(ctx context.Context, ids []string) (map[string]*models.Client, error)
}

// CacheOptions are the limits of a Cache.
type CacheOptions struct {
	Size     int           // maximum number of clients
	MaxStale time.Duration // how long the cache uses a row while the database is out of reach
	// Timeout is the timeout of a query; 0 means one second. A request may wait for a query in flight and
	// then for its own. So it gets an error after at most twice this time.
	Timeout time.Duration
	// Tracer starts a span for each query that serves a traced request; nil: there are no traces.
	Tracer trace.Tracer
}

// Cache returns clients from memory. A row in memory is current while Watch receives heartbeats and has
// received no notification of a change to it. Without heartbeats, the cache uses a row for less than a
// second after it was read. The cache does not store that a client does not exist. So an INSERT is in force
// at once, and made-up ids take no memory.
//
// While the database is out of reach, the cache uses its rows for MaxStale. It does not use a row that it
// knows to have changed.
type Cache struct {
	source  source
	rows    *otter.Cache[string, row]
	options CacheOptions
	timeout time.Duration
	now     func() time.Time

	news   atomic.Pointer[news]
	failed atomic.Pointer[time.Time] // when the database last failed; nil if it has answered since
	loads  atomic.Int64
	hits   atomic.Int64
	voided atomic.Pointer[time.Time] // rows that were read until this time must not be used

	mu               sync.Mutex // guards the fields below; also held while rows are stored and invalidated
	flights          map[string]*flight
	known, strangers lane
}

// row is a client as it was in the database at readAt or later. In an invalidated row client is nil: the
// row has changed, and only says that the client existed.
type row struct {
	client *models.Client
	readAt time.Time
}

// news is what Watch knows about changes. It has received a notification of every change committed from
// since to until.
type news struct {
	since, until time.Time
	lost         bool // no more notifications will arrive
}

// NewCache returns an empty cache in front of clients.
func NewCache(clients source, options CacheOptions) (*Cache, error) {
	rows, err := otter.New(&otter.Options[string, row]{MaximumSize: options.Size})
	if err != nil {
		return nil, fmt.Errorf("client cache: %w", err)
	}
	c := &Cache{
		source:    clients,
		rows:      rows,
		options:   options,
		timeout:   cmp.Or(options.Timeout, time.Second),
		now:       time.Now,
		flights:   map[string]*flight{},
		known:     lane{most: knownQueries},
		strangers: lane{most: strangerQueries},
	}
	c.news.Store(&news{})
	c.voided.Store(&time.Time{})
	return c, nil
}

// Find returns the client as the database had it at most a second ago. It returns models.ErrClientNotFound,
// or an error that wraps models.ErrUnavailable.
func (c *Cache) Find(ctx context.Context, id string) (*models.Client, error) {
	return c.FindSince(ctx, id, time.Time{})
}

// FindSince returns the client as the database had it at the time since or later. While the database is out
// of reach, the row may be older. Authentication calls it before it refuses a client, because the row may
// just have changed.
func (c *Cache) FindSince(ctx context.Context, id string, since time.Time) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	now := c.now()
	kept, found := c.rows.GetIfPresent(id)
	switch {
	case found && c.answers(kept, since, now):
		c.hits.Add(1)
		return kept.client, nil
	case !found || !c.usable(kept, now):
		return c.load(ctx, id, wanted{since: since, now: now, known: found})
	case c.failedSince(now.Add(-retryPause)):
		return kept.client, nil
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := c.load(waiting, id, wanted{since: since, now: now, known: true})
	if errors.Is(err, errOutage) && c.stillKept(id, kept) {
		return kept.client, nil
	}
	return client, err
}

// Knows reports whether the cache has a row for this id, current or not. It does not ask the database.
func (c *Cache) Knows(id string) bool {
	_, found := c.rows.GetIfPresent(id)
	return found
}

// valid reports whether the row has not been invalidated.
func (c *Cache) valid(kept row) bool {
	return kept.client != nil && kept.readAt.After(*c.voided.Load())
}

// answers reports whether the row is current and was read at the time since or later.
func (c *Cache) answers(kept row, since, now time.Time) bool {
	if !c.valid(kept) {
		return false
	}
	known := kept.readAt
	if !c.news.Load().lost {
		known = c.knownTrue(kept)
	}
	return !kept.readAt.Before(since) && now.Sub(known) < trust && now.Sub(kept.readAt) < maxAge
}

// usable reports whether the row may be used while the database is out of reach.
func (c *Cache) usable(kept row, now time.Time) bool {
	return c.valid(kept) && now.Sub(c.knownTrue(kept)) < c.options.MaxStale
}

// knownTrue returns the latest time at which the row is known to have been current.
func (c *Cache) knownTrue(kept row) time.Time {
	if news := c.news.Load(); !kept.readAt.Before(news.since) && news.until.After(kept.readAt) {
		return news.until
	}
	return kept.readAt
}

func (c *Cache) failedSince(instant time.Time) bool {
	failed := c.failed.Load()
	return failed != nil && failed.After(instant)
}

// stillKept reports whether the cache still has the same row, and it has not been invalidated.
func (c *Cache) stillKept(id string, kept row) bool {
	current, found := c.rows.GetIfPresent(id)
	return found && current == kept && c.valid(kept)
}

// forget invalidates the row of a client. A load that has begun must not store the old row. The row itself
// stays as a mark that the client is known: its next load does not queue with those of unknown clients.
func (c *Cache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdate(id)
	if _, found := c.rows.GetIfPresent(id); found {
		c.rows.Set(id, row{})
	}
}

// forgetAll invalidates all rows.
func (c *Cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.flights {
		c.outdate(id)
	}
	now := c.now()
	c.voided.Store(&now)
}

// outdate marks a load that has begun as outdated. A load whose query has not begun will read the new row.
func (c *Cache) outdate(id string) {
	if f := c.flights[id]; f != nil && f.begun {
		f.outdated = true
		delete(c.flights, id)
	}
}

// heard records that Watch has received a notification of every change committed from since to until.
func (c *Cache) heard(since, until time.Time) {
	c.news.Store(&news{since: since, until: until})
}

// deaf records that Watch receives no notifications from now on.
func (c *Cache) deaf() {
	last := *c.news.Load()
	last.lost = true
	c.news.Store(&last)
}

// Usable reports whether the cache has a row that may be used while the database is out of reach.
func (c *Cache) Usable() bool {
	now := c.now()
	for kept := range c.rows.Values() {
		if c.usable(kept, now) {
			return true
		}
	}
	return false
}
