package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var errOverload = &problem{status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
	description: "the server has more requests than it can answer in time: try again in a moment"}

const (
	// burst is how long after a calm period a queue may be long. Requests that arrive in this time may wait
	// for patience.
	burst = 500 * time.Millisecond
	// crowdedPatience is how long a request may wait in a queue that has lasted for longer than a burst.
	// More requests arrive than can be answered, and a longer queue would only make all of them late.
	crowdedPatience = 2 * time.Millisecond
	// calm is how long no request may have waited before a queue may be long again.
	calm = time.Second
	// maxQueue limits the memory of a queue.
	maxQueue = 20_000
)

// Gate limits the number of requests in progress. Other requests wait in a queue. The time in the queue is
// limited, in the way of CoDel (RFC 8289): it is long for a burst after a calm period, and short for a
// queue that lasts. A request that has waited for too long is refused. A request enters the gate when its
// body has arrived, so a slow sender takes a connection but no place.
type Gate struct {
	limit    int
	patience time.Duration
	shed     prometheus.Counter

	mu       sync.Mutex
	inFlight int
	waiting  int
	queue    []*waiter // some of them may have given up
	since    time.Time // start of the present burst
	last     time.Time // when a request last began to wait
}

// waiter is a request in the queue.
type waiter struct {
	admitted chan struct{} // closed when it gets a place; guarded by Gate.mu, like gone
	gone     bool
}

// Gates are the limits for different kinds of requests, so that unauthenticated requests do not take the
// places of others. A request is at Unknown while the database is asked for its client. It is at Refused
// after its secret was found wrong, while that is confirmed and counted. Otherwise it is at Known.
type Gates struct{ Known, Unknown, Refused *Gate }

// NewGates returns gates with limit places for known clients, and fewer for others. In a burst a request
// waits at each gate for patience at most. The metrics of the gates are registered with registry.
func NewGates(limit int, patience time.Duration, registry prometheus.Registerer) Gates {
	shed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chit_http_requests_shed_total",
		Help: "Requests that were refused because they waited too long for a place, by gate: known, unknown or refused.",
	}, []string{"gate"})
	registry.MustRegister(shed)
	gate := func(name string, limit int) *Gate {
		g := &Gate{limit: limit, patience: patience, shed: shed.WithLabelValues(name)}
		registry.MustRegister(g.gauge("chit_http_requests_in_flight", "Requests to the OAuth endpoints that have a place and are not answered.", name, &g.inFlight),
			g.gauge("chit_http_requests_waiting", "Requests to the OAuth endpoints that wait for a place.", name, &g.waiting))
		return g
	}
	return Gates{Known: gate("known", limit), Unknown: gate("unknown", max(1, limit/2)), Refused: gate("refused", max(1, limit/4))}
}

func (g *Gate) gauge(name, help, gate string, value *int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"gate": gate}}, func() float64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return float64(*value)
	})
}

// enter takes a place. It waits no longer than the queue and ctx allow. If it returns no error, leave must
// follow.
func (g *Gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.inFlight < g.limit {
		g.inFlight++
		g.mu.Unlock()
		return nil
	}
	if len(g.queue) >= maxQueue {
		g.mu.Unlock()
		g.shed.Inc()
		return errOverload
	}
	w := &waiter{admitted: make(chan struct{})}
	timer := time.NewTimer(g.mayWait(time.Now()))
	defer timer.Stop()
	g.queue = append(g.queue, w)
	g.waiting++
	g.mu.Unlock()
	select {
	case <-w.admitted:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return g.giveUp(w)
}

// mayWait returns how long a request that arrives now may wait.
func (g *Gate) mayWait(now time.Time) time.Duration {
	if g.waiting == 0 && now.Sub(g.last) >= calm {
		g.since = now
	}
	g.last = now
	if now.Sub(g.since) < burst {
		return g.patience
	}
	return min(crowdedPatience, g.patience)
}

// giveUp removes a waiter from the queue, unless it has just got a place.
func (g *Gate) giveUp(w *waiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.admitted:
		return nil
	default:
	}
	w.gone = true
	g.waiting--
	g.shed.Inc()
	return errOverload
}

// leave gives the place to the first waiter, or frees it.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) > 0 {
		w := g.queue[0]
		g.queue[0], g.queue = nil, g.queue[1:]
		if !w.gone {
			g.waiting--
			close(w.admitted)
			return
		}
	}
	g.queue = nil
	g.inFlight--
}

// pass moves a request to another gate. If that fails, the request has no place.
func (x *exchange) pass(ctx context.Context, to *Gate) error {
	if x.gate == to {
		return nil
	}
	x.leave()
	if err := to.enter(ctx); err != nil {
		return err
	}
	x.gate = to
	return nil
}

// leave frees the place of the request.
func (x *exchange) leave() {
	if x.gate != nil {
		x.gate.leave()
		x.gate = nil
	}
}
