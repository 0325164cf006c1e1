package guard

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

const (
	// maxUsed is the maximum number of proofs in memory. Each takes about 40 bytes, for about a minute.
	maxUsed = 1_000_000
	// usedPeriod is how long the periods are by which proofs are forgotten.
	usedPeriod = 10 * time.Second
)

// errTooManyProofs is the error for more proofs than the guard can remember. Letting them in would let them in twice.
var errTooManyProofs = errors.New("more proofs have come within a minute than can be remembered")

// used are the proofs of the last minute. The zero value is ready.
type used struct {
	mu      sync.Mutex
	periods map[int64]map[[16]byte]struct{} // by the period of their iat
	count   int
	oldest  int64 // the first period that is remembered
	limit   int   // 0: maxUsed
}

// use remembers a proof that Check has accepted at the time now. It returns ErrProofUsed if it was used before, or may
// have been: if the clock was set back.
func (u *used) use(p *Proof, now time.Time) error {
	digest := sha256.Sum256([]byte(p.Key + "\x00" + p.ID)) // another client may use the same jti
	short := [16]byte(digest[:])
	period := p.IssuedAt.Unix() / int64(usedPeriod/time.Second)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now.Add(-proofAge).Unix() / int64(usedPeriod/time.Second))
	if period < u.oldest {
		return ErrProofUsed
	}
	if _, found := u.periods[period][short]; found {
		return ErrProofUsed
	}
	limit := u.limit
	if limit == 0 {
		limit = maxUsed
	}
	if u.count >= limit {
		return unavailable("remember the proof", errTooManyProofs)
	}
	if u.periods == nil {
		u.periods = map[int64]map[[16]byte]struct{}{}
	}
	if u.periods[period] == nil {
		u.periods[period] = map[[16]byte]struct{}{}
	}
	u.periods[period][short] = struct{}{}
	u.count++
	return nil
}

// forget forgets proofs of periods before oldest. Check does not accept them any more.
func (u *used) forget(oldest int64) {
	if oldest <= u.oldest {
		return
	}
	u.oldest = oldest
	for period, proofs := range u.periods {
		if period < oldest {
			u.count -= len(proofs)
			delete(u.periods, period)
		}
	}
}
