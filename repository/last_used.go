package repository

import (
	"context"
	"sync"
	"time"

	"chit/models"
)

// noteInterval is how often the use of one retired secret is recorded.
const noteInterval = time.Minute

// noteTimeout is the timeout of the statement that records a use.
const noteTimeout = 2 * time.Second

// maxNotes is the maximum number of entries in uses.
const maxNotes = 10_000

// uses remembers when the use of each retired secret was last recorded.
type uses struct {
	mu    sync.Mutex
	noted map[string]time.Time // by client and hash
}

// due reports whether a use is to be recorded now.
func (u *uses) due(secret models.RetiredSecret, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := secret.ClientID + "\x00" + secret.SecretHash
	if last, noted := u.noted[key]; noted && now.Sub(last) < noteInterval {
		return false
	}
	if u.noted == nil || len(u.noted) >= maxNotes {
		u.noted = map[string]time.Time{}
	}
	u.noted[key] = now
	return true
}

// RetiredInUse returns the number of retired secrets that were used within an hour before the time now.
func (c *Clients) RetiredInUse(now time.Time) (count int) {
	c.uses.mu.Lock()
	defer c.uses.mu.Unlock()
	for _, last := range c.uses.noted {
		if now.Sub(last) < time.Hour {
			count++
		}
	}
	return count
}

// NoteUse records that a client has used a retired secret, at most once a minute for each secret. It works
// in the background. Operators see from it which clients still need the new secret. If the database fails,
// the record is lost, and the next use makes another.
func (c *Clients) NoteUse(secret models.RetiredSecret) {
	now := time.Now().UTC()
	if !c.uses.due(secret, now) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
		defer cancel()
		c.db.WithContext(ctx).Model(&secret).UpdateColumn("last_used_at", now)
	}()
}
