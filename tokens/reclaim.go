package tokens

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// expiry is the time to live that Purge leaves to a key. It must be longer than Redis takes to run a
// pipeline. If a key has expired before Redis sets the expiry, that counts as a deletion.
const expiry = 100 * time.Millisecond

// reclaimer makes Redis delete keys that have expired. Without it Redis would also find them, but in long
// steps that delay other requests. So it is no failure if Redis does not answer.
type reclaimer struct {
	redis redis.UniversalClient
	pages []expiringPage
}

// expiringPage are tokens whose keys expire at the same time.
type expiringPage struct {
	ids []string
	at  time.Time
}

// add adds tokens that expire from now on, and reclaims those that have expired.
func (r *reclaimer) add(ctx context.Context, ids []string) {
	r.pages = append(r.pages, expiringPage{ids, time.Now().Add(expiry)})
	for len(r.pages) > 0 && time.Now().After(r.pages[0].at) {
		r.next(ctx)
	}
}

// finish waits until all tokens have expired and reclaims them.
func (r *reclaimer) finish(ctx context.Context) {
	for len(r.pages) > 0 {
		select {
		case <-time.After(time.Until(r.pages[0].at)):
			r.next(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// next reclaims the first page. Redis deletes an expired key when a command asks for it.
func (r *reclaimer) next(ctx context.Context) {
	ids := r.pages[0].ids
	r.pages = r.pages[1:]
	_, _ = r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			p.Exists(ctx, tokenKey(id))
		}
		return nil
	})
}
