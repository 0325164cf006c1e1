package usage

import (
	"context"
	"log/slog"
	"time"

	"chit/models"
)

const (
	// recordInterval is how often uses are recorded. Together with the time that it takes, a recorded use
	// is less than a minute old.
	recordInterval = 20 * time.Second
	recordTimeout  = 10 * time.Second
)

// Record stores uses. It returns an error if some of them may not be stored.
type Record func(ctx context.Context, uses []models.Use) error

// Run records uses and counts the minutes until ctx ends. Uses that cannot be recorded are kept for the next
// try.
func (t *Tracker) Run(ctx context.Context, record Record, log *slog.Logger) {
	every := time.NewTicker(recordInterval)
	defer every.Stop()
	sample := time.NewTicker(sampleInterval)
	defer sample.Stop()
	minute := time.NewTimer(untilNextMinute(t.now()))
	defer minute.Stop()
	failing := false
	for {
		select {
		case <-every.C:
			err := t.record(ctx, record)
			if err != nil && !failing && ctx.Err() == nil {
				log.Warn("the last use of clients cannot be recorded: if the database answers, apply `chit migrate up` and the privileges", "cause", err.Error())
			}
			failing = err != nil
		case <-sample.C:
			t.recent.add(t.now(), t.totals())
		case <-minute.C:
			t.minute(t.now())
			minute.Reset(untilNextMinute(t.now()))
		case <-ctx.Done():
			if err := t.record(context.WithoutCancel(ctx), record); err != nil {
				log.Warn("the last use of clients was not recorded at the end", "cause", err.Error())
			}
			return
		}
	}
}

// untilNextMinute returns the time until a minute begins. While the clock is adjusted, a timer may end shortly
// before that, so a minute that begins within a second has begun.
func untilNextMinute(now time.Time) time.Duration {
	return now.Add(time.Second).Truncate(time.Minute).Add(time.Minute).Sub(now)
}

// record stores the uses that are not recorded.
func (t *Tracker) record(ctx context.Context, record Record) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	uses, done := t.unrecorded()
	if len(uses) == 0 {
		return nil
	}
	if err := record(ctx, uses); err != nil {
		return err
	}
	done()
	return nil
}

// unrecorded returns the uses that are not recorded, and a function to call when they are.
func (t *Tracker) unrecorded() (uses []models.Use, done func()) {
	type taken struct {
		*Client
		used, token int64
	}
	var all []taken
	t.mu.RLock()
	defer t.mu.RUnlock()
	for id, c := range t.clients {
		if c.isRecorded() {
			continue
		}
		now := taken{c, c.lastUsed.Load(), c.lastToken.Load()}
		all = append(all, now)
		uses = append(uses, models.Use{ClientID: id, LastUsedAt: instant(now.used), LastTokenAt: instant(now.token)})
	}
	return uses, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, c := range all {
			c.recorded.used, c.recorded.token = c.used, c.token
		}
	}
}

// isRecorded reports whether the last use is recorded. The tracker is locked.
func (c *Client) isRecorded() bool {
	return c.recorded.used == c.lastUsed.Load() && c.recorded.token == c.lastToken.Load()
}

func instant(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	at := time.Unix(seconds, 0).UTC()
	return &at
}
