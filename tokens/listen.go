package tokens

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// proofTimeout is how long a proof may take before the connection counts as lost.
	proofTimeout = 500 * time.Millisecond
	openTimeout  = 2 * time.Second
	minPause     = 50 * time.Millisecond
	maxPause     = 500 * time.Millisecond
)

var errOtherPrimaries = errors.New("the primaries of the Cluster have changed")

// Observer is told what a Listener hears. The methods must not block.
type Observer interface {
	TokenEnded(id string)   // the key of this token is gone; the token has not expired
	AllChanged()            // any key may be gone
	Proven(until time.Time) // every change before this time has been reported
	Lost()                  // changes may be missed from now on, until the next call of Proven
}

// Listener hears which tokens end in Redis, whoever ends them. Redis tells it by keyspace events about keys
// that are deleted, evicted or renamed, and by client tracking about FLUSHALL and FLUSHDB. In a Cluster it
// listens to each primary: docs/adr/0013-hearing-of-ended-tokens.md has the reasons.
type Listener struct {
	redis    redis.UniversalClient
	observer Observer
	log      *slog.Logger
	due      chan struct{} // has a value if a proof is due
	loss     string        // cause that was logged for the present loss; empty if there is none
	lostAt   time.Time
}

// NewListener returns a listener for the Redis of client. Run starts it.
func NewListener(client redis.UniversalClient, observer Observer, log *slog.Logger) *Listener {
	return &Listener{redis: client, observer: observer, log: log, due: make(chan struct{}, 1)}
}

// Prove makes the listener check soon that it hears of every change, and then call Proven. It must be called
// a few times a second.
func (l *Listener) Prove() {
	select {
	case l.due <- struct{}{}:
	default: // one is due already
	}
}

// Run listens until ctx ends. If it loses a connection, it reports the loss and connects again.
func (l *Listener) Run(ctx context.Context) {
	pause := minPause
	for ctx.Err() == nil {
		began := time.Now()
		err := l.listen(ctx)
		l.observer.Lost()
		if ctx.Err() != nil {
			return
		}
		l.lose(err)
		if time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// lose logs a loss. It warns once for each cause, because Run tries again twice a second.
func (l *Listener) lose(err error) {
	level := slog.LevelDebug
	if l.loss != err.Error() {
		level = slog.LevelWarn
	}
	if l.loss == "" {
		l.lostAt = time.Now()
	}
	l.loss = err.Error()
	l.log.Log(context.Background(), level, "this node does not hear which tokens end in Redis, so resource servers ask about each token", "cause", l.loss)
}

// regain logs the end of a loss.
func (l *Listener) regain() {
	if l.loss == "" {
		return
	}
	l.loss = ""
	l.log.Warn("this node hears again which tokens end in Redis", "lost_for", time.Since(l.lostAt).Round(time.Millisecond).String())
}

// listen listens to every primary and proves it when a proof is due. It returns the first failure.
func (l *Listener) listen(ctx context.Context) error {
	primaries, err := l.primaries(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error, len(primaries))
	var subscriptions []*subscription
	defer func() {
		for _, s := range subscriptions {
			s.close()
		}
	}()
	for _, primary := range primaries {
		s, err := subscribe(ctx, l.redis, primary, l.observer)
		if err != nil {
			return err
		}
		subscriptions = append(subscriptions, s)
		go func() { failed <- s.receive(ctx) }()
	}
	for prove := (*subscription).firstProof; ; prove = (*subscription).prove {
		if err := l.proveAll(ctx, primaries, subscriptions, prove, failed); err != nil {
			return err
		}
		l.regain()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-l.due:
		}
	}
}

// proveAll makes sure that every primary is heard, and that there are no others.
func (l *Listener) proveAll(ctx context.Context, primaries []*redis.Client, subscriptions []*subscription, prove func(*subscription, context.Context) error, failed <-chan error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	proofs := make(chan error, len(subscriptions))
	for _, s := range subscriptions {
		go func() { proofs <- prove(s, ctx) }()
	}
	for range subscriptions {
		select {
		case err := <-failed:
			return err
		case err := <-proofs:
			if err != nil {
				return err
			}
		}
	}
	now, err := l.primaries(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, primaries) {
		return errOtherPrimaries
	}
	l.observer.Proven(began)
	return nil
}

// primaries returns a client for each primary that has keys, ordered by address.
func (l *Listener) primaries(ctx context.Context) ([]*redis.Client, error) {
	cluster, is := l.redis.(*redis.ClusterClient)
	if !is {
		return []*redis.Client{l.redis.(*redis.Client)}, nil
	}
	var mu sync.Mutex
	var found []*redis.Client
	err := cluster.ForEachMaster(ctx, func(_ context.Context, primary *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, primary)
		return nil
	})
	slices.SortFunc(found, func(a, b *redis.Client) int { return strings.Compare(a.Options().Addr, b.Options().Addr) })
	return found, err
}
