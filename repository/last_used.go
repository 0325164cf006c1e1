package repository

import (
	"context"
	"sync"
	"time"

	"chit/models"
)

// noteInterval is how often the use of one retired secret is written down.
const noteInterval = time.Minute

// noteTimeout bounds the statement that writes a use down.
const noteTimeout = 2 * time.Second

// maxNotes bounds what is remembered of uses that were written down.
const maxNotes = 10_000

// uses remembers when the use of a retired secret was last written down.
type uses struct {
	mu    sync.Mutex
	noted map[string]time.Time // by client and hash
}

// due reports whether a use is to be written down now.
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

// NoteUse writes down that a retired secret has opened its client, in the background and at most
// once a minute a secret. It is for operators to see who still has to change: a note that the
// database does not take is lost, and the next use makes another.
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
