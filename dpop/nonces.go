package dpop

import (
	"context"
	"crypto/subtle"
	"strconv"
	"sync"
	"time"

	"chit/guard"
)

// Nonces are the texts that proofs must have (RFC 9449 §8). There is one for each period, random and the same on all
// nodes, so no node keeps a record of those that it has sent. It is accepted for one more period before and after,
// because clocks differ.
type Nonces struct {
	// Agree returns a random text that all nodes get for this id, until the lifetime is over. Its errors wrap
	// models.ErrUnavailable.
	Agree func(ctx context.Context, id string, lifetime time.Duration) (text string, err error)

	mu    sync.Mutex // guards known and asked
	known map[int64]string
	asked time.Time // when all periods were last asked for, because of a nonce that is not known
}

const (
	// nonceLifetime is how long the nodes agree on a nonce: from a period before its own until one after.
	nonceLifetime = 5 * guard.NoncePeriod
	// askInterval is how often unknown nonces make a node ask for all periods again. The texts may be other ones since
	// Redis has lost its data.
	askInterval = time.Second
)

func periodOf(now time.Time) int64 { return now.UnixNano() / int64(guard.NoncePeriod) }

// Current returns the nonce to send. The error wraps models.ErrUnavailable.
func (n *Nonces) Current(ctx context.Context, now time.Time) (string, error) {
	period := periodOf(now)
	n.mu.Lock()
	known := n.known[period]
	n.mu.Unlock()
	if known != "" {
		return known, nil
	}
	return n.ask(ctx, period)
}

// accept reports whether a nonce was sent lately by one of the nodes.
func (n *Nonces) accept(ctx context.Context, nonce string, now time.Time) (bool, error) {
	if nonce == "" {
		return false, nil
	}
	period := periodOf(now)
	if n.knows(nonce, period) {
		return true, nil
	}
	for _, at := range n.doubtful(period, now) {
		if _, err := n.ask(ctx, at); err != nil {
			return false, err
		}
	}
	return n.knows(nonce, period), nil
}

// doubtful returns the periods around one whose nonces are to be asked for, because a proof has another one.
func (n *Nonces) doubtful(period int64, now time.Time) (periods []int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	again := now.Sub(n.asked) >= askInterval || now.Before(n.asked)
	if again {
		n.asked = now
	}
	for at := period - 1; at <= period+1; at++ {
		if again || n.known[at] == "" {
			periods = append(periods, at)
		}
	}
	return periods
}

// knows reports whether a nonce is that of the period, or of one beside it.
func (n *Nonces) knows(nonce string, period int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for at := period - 1; at <= period+1; at++ {
		if subtle.ConstantTimeCompare([]byte(nonce), []byte(n.known[at])) == 1 {
			return true
		}
	}
	return false
}

// ask asks for the nonce of a period and keeps it. It forgets those of former ones.
func (n *Nonces) ask(ctx context.Context, period int64) (string, error) {
	text, err := n.Agree(ctx, "DPoP nonce\x00"+strconv.FormatInt(period, 10), nonceLifetime)
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[int64]string{}
	}
	n.known[period] = text
	for at := range n.known {
		if at < period-2 {
			delete(n.known, at)
		}
	}
	return text, nil
}
