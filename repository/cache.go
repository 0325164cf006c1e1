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

	"chit/models"
)

const (
	// trust is for how long a row is believed without news of the database. With the time that a
	// request takes it stays below the second that a change may need to be in force.
	trust = 800 * time.Millisecond
	// maxAge is when a row is asked for again in any case: statements can bypass triggers.
	maxAge = 5 * time.Minute
	// patience is how long a request waits for the database where the cache could answer too.
	patience = 250 * time.Millisecond
	// retryPause is how long the database is left alone after it has failed, where the cache
	// could answer.
	retryPause = 200 * time.Millisecond
)

// source is where the cache takes clients from.
type source interface {
	FindMany(ctx context.Context, ids []string) (map[string]*models.Client, error)
}

// CacheOptions are the bounds of a Cache.
type CacheOptions struct {
	Size     int           // clients kept
	MaxStale time.Duration // for how long a client is answered for while the database is out of reach
	// Timeout bounds a query; 0 is a second. A request may wait for one that is under way and then
	// for its own, so it learns within twice this time that the database does not answer.
	Timeout time.Duration
}

// Cache answers like the Clients behind it, from memory where that is true. A row is true while
// Watch hears from the database and has heard of no change to it, or for less than a second after
// it was read. Clients that do not exist are not kept: an INSERT is in force at once, and made-up
// ids fill nothing.
//
// While the database is out of reach, clients that are kept are answered for as they were, for
// MaxStale; a change that was heard of is never undone that way.
type Cache struct {
	source  source
	rows    *otter.Cache[string, row]
	options CacheOptions
	timeout time.Duration
	now     func() time.Time

	news   atomic.Pointer[news]
	failed atomic.Pointer[time.Time] // when the database last failed; nil: it has answered since
	loads  atomic.Int64
	voided atomic.Pointer[time.Time] // rows that were read until then are void

	mu               sync.Mutex // guards what follows, and that nothing outdated is kept
	flights          map[string]*flight
	known, strangers lane
}

// row is a client as the database had it at readAt or later. A void one has no client: it was changed
// since, and says only that it existed.
type row struct {
	client *models.Client
	readAt time.Time
}

// news is what is known of changes: every one committed from since until until has been heard of.
type news struct {
	since, until time.Time
	lost         bool // nothing more will be heard of
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

// Find returns the client as the database has it, give or take a second, or
// models.ErrClientNotFound, or an error that wraps models.ErrUnavailable.
func (c *Cache) Find(ctx context.Context, id string) (*models.Client, error) {
	return c.FindSince(ctx, id, time.Time{})
}

// FindSince is Find, but rests on what the database had at since or later, unless it is out of
// reach. Who is refused is asked for so: the row may have been changed a moment ago.
func (c *Cache) FindSince(ctx context.Context, id string, since time.Time) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	now := c.now()
	kept, found := c.rows.GetIfPresent(id)
	switch {
	case found && c.answers(kept, since, now):
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

// Knows reports whether a client of this id exists, or did when it was last asked for. It asks nobody.
func (c *Cache) Knows(id string) bool {
	_, found := c.rows.GetIfPresent(id)
	return found
}

// valid reports whether nothing has been heard that makes a row void.
func (c *Cache) valid(kept row) bool {
	return kept.client != nil && kept.readAt.After(*c.voided.Load())
}

// answers reports whether a row is as the database has it, and was read at since or later.
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

// usable reports whether a row may be answered from while the database cannot be asked.
func (c *Cache) usable(kept row, now time.Time) bool {
	return c.valid(kept) && now.Sub(c.knownTrue(kept)) < c.options.MaxStale
}

// knownTrue returns the last instant at which the row is known to have been as the database had it.
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

// stillKept reports whether no change to the row has been heard of.
func (c *Cache) stillKept(id string, kept row) bool {
	current, found := c.rows.GetIfPresent(id)
	return found && current == kept && c.valid(kept)
}

// forget makes what is kept of a client void, and lets no load that has begun bring it back. That it
// existed is kept: its next load need not wait for those of strangers.
func (c *Cache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdate(id)
	if _, found := c.rows.GetIfPresent(id); found {
		c.rows.Set(id, row{})
	}
}

// forgetAll does for all clients what forget does for one.
func (c *Cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.flights {
		c.outdate(id)
	}
	now := c.now()
	c.voided.Store(&now)
}

// outdate gives up a load that has begun. One that still waits for its query will read what is new.
func (c *Cache) outdate(id string) {
	if f := c.flights[id]; f != nil && f.begun {
		f.outdated = true
		delete(c.flights, id)
	}
}

// heard notes that every change committed from since until until has been heard of.
func (c *Cache) heard(since, until time.Time) {
	c.news.Store(&news{since: since, until: until})
}

// deaf notes that from now on nothing is heard of.
func (c *Cache) deaf() {
	last := *c.news.Load()
	last.lost = true
	c.news.Store(&last)
}

// Usable reports whether any client can be answered for while the database cannot be asked.
func (c *Cache) Usable() bool {
	now := c.now()
	for kept := range c.rows.Values() {
		if c.usable(kept, now) {
			return true
		}
	}
	return false
}

// Size returns how many clients are kept.
func (c *Cache) Size() int { return c.rows.EstimatedSize() }

// Loads returns how often the database was asked for a client, since start.
func (c *Cache) Loads() int64 { return c.loads.Load() }

// Hearing reports whether changes are heard of at this moment.
func (c *Cache) Hearing() bool {
	news := c.news.Load()
	return !news.lost && c.now().Sub(news.until) < trust
}
