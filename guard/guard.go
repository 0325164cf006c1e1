// Package guard protects an HTTP API with the opaque access tokens of Chit.
//
// A Guard introspects each token once (RFC 7662) and keeps the answer in memory. The server tells it over a
// stream which answers are void, so a revoked token is refused within about a tenth of a second. While the
// guard does not hear the server, it introspects each token again. It never lets a token in that it cannot
// check. It also checks for which resource servers a token is (RFC 8707), and that its sender shows the certificate
// or the proof that it is bound to (RFC 8705 §3, RFC 9449).
//
// The package imports the standard library alone.
package guard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrInactive means that a token is not active: it has expired, was revoked or never existed, or the text is
// not a token.
var ErrInactive = errors.New("the token is not active")

// ErrUnavailable means that a token could not be checked, because the authorization server is out of reach
// or refuses to answer. The token may be active or not.
var ErrUnavailable = errors.New("the token cannot be checked")

// trust is how long the guard uses its answers after a heartbeat.
const trust = int64(time.Second)

// Guard checks access tokens. It is safe for concurrent use.
type Guard struct {
	config            Config
	nodes             []*node
	asking, streaming *http.Client
	clock             clock
	marks             *marks
	active, inactive  *kept
	nonces            *nonces // nil: proofs need none
	used              used

	heartbeat, heartbeatCalendar atomic.Int64          // of the last heartbeat, by both times
	preferred                    atomic.Int32          // index of the node to use first
	refusal                      atomic.Pointer[error] // why the server does not tell this client about tokens; nil: it does
	introspections, failures     atomic.Uint64

	settled chan struct{} // closed when the first attempt to open the stream is over
	settle  func()
	stop    context.CancelFunc
	ended   sync.WaitGroup

	mu      sync.Mutex // guards flights
	flights map[digest]*flight
}

// New returns a guard. It does not wait for the server: until the stream is open, the guard introspects each
// token. The error lists every wrong setting. Close must be called when the guard is no longer needed.
func New(config Config) (*Guard, error) { return start(config, newClock()) }

func start(config Config, clock clock) (*Guard, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	g := &Guard{
		config:   config,
		clock:    clock,
		marks:    newMarks(),
		active:   newKept(config.MaxTokens),
		inactive: newKept(max(1, config.MaxTokens/4)),
		settled:  make(chan struct{}),
		flights:  map[digest]*flight{},
	}
	if config.NonceKey != "" {
		g.nonces = &nonces{key: []byte(config.NonceKey)}
	}
	g.settle = sync.OnceFunc(func() { close(g.settled) })
	g.heartbeat.Store(never)
	g.asking, g.streaming = config.clients()
	for _, address := range config.Addresses {
		g.nodes = append(g.nodes, newNode(config, address))
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.ended.Go(func() { g.follow(ctx) })
	return g, nil
}

// Close ends the stream. After it the guard keeps no answers. It always returns nil.
func (g *Guard) Close() error {
	g.stop()
	g.ended.Wait()
	g.heartbeat.Store(never)
	g.asking.CloseIdleConnections()
	return nil
}

// Check returns the token if it is active, is for this resource server, and is a bearer token. Otherwise the error is
// ErrInactive, as errors.Is has it, or wraps ErrUnavailable. For a token that is bound to a key or a certificate use
// CheckRequest. ctx limits how long Check waits for the server; without a limit of its own, Check waits for a few
// seconds at most.
func (g *Guard) Check(ctx context.Context, bearer string) (Token, error) {
	a, err := g.check(ctx, bearer)
	switch {
	case err != nil:
		return Token{}, err
	case a.token.Certificate != "" || a.token.Key != "":
		return Token{}, ErrBound
	}
	return a.token, nil
}

// check is Check without the rule for bound tokens.
func (g *Guard) check(ctx context.Context, bearer string) (*answer, error) {
	if len(bearer) > maxLength {
		return nil, ErrInactive
	}
	var text [maxLength]byte // stays on the stack
	d := digest(sha256.Sum256(text[:copy(text[:], bearer)]))
	elapsed, calendar := g.clock()
	if a := g.recall(&d, elapsed, calendar); a != nil {
		return a.outcome()
	}
	if !hasForm(bearer) {
		return nil, ErrInactive
	}
	return g.ask(ctx, d, bearer, elapsed)
}

// recall returns the answer in memory for a token, or nil if there is none that may be used.
func (g *Guard) recall(d *digest, elapsed, calendar int64) *answer {
	if !g.hears(elapsed, calendar) {
		return nil
	}
	for _, k := range [...]*kept{g.active, g.inactive} {
		if a := k.get(d); a != nil && g.usable(a, elapsed, calendar) {
			k.hit(d, a, elapsed)
			return a
		}
	}
	return nil
}

// hears reports whether the last heartbeat is less than a second old. The calendar counts too, because the
// elapsed time stands still while a machine is suspended.
func (g *Guard) hears(elapsed, calendar int64) bool {
	return elapsed-g.heartbeat.Load() < trust && calendar-g.heartbeatCalendar.Load() < trust
}

// usable reports whether an answer in memory may be used.
func (g *Guard) usable(a *answer, elapsed, calendar int64) bool {
	return elapsed < a.expires && calendar < a.calendar && g.marks.hold(a, elapsed)
}

// Ready returns nil if the guard can check tokens: it hears the server, or the server answers. Otherwise the
// error says why, and wraps ErrUnavailable.
func (g *Guard) Ready(ctx context.Context) error {
	if g.hears(g.clock()) {
		return nil
	}
	if _, err := g.ask(ctx, digest{}, unknownToken, never); !errors.Is(err, ErrInactive) {
		return err
	}
	return nil
}

// unknownToken has the form of a token, and no server has issued it.
const unknownToken = "guard_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Stats are numbers about a guard since its start.
type Stats struct {
	Hearing        bool   // the guard hears the server at this time
	Active         int    // active tokens in memory
	Inactive       int    // inactive tokens in memory
	Hits           uint64 // checks that were answered from memory
	Introspections uint64 // requests to the server
	Failures       uint64 // requests to the server that have failed
}

// Stats returns the numbers of this moment.
func (g *Guard) Stats() Stats {
	active, activeHits := g.active.count()
	inactive, inactiveHits := g.inactive.count()
	return Stats{
		Hearing:        g.hears(g.clock()),
		Active:         active,
		Inactive:       inactive,
		Hits:           activeHits + inactiveHits,
		Introspections: g.introspections.Load(),
		Failures:       g.failures.Load(),
	}
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}
