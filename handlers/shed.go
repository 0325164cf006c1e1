package handlers

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

var errOverload = &problem{status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
	description: "the server has more requests than it can answer in time: try again in a moment"}

// Gate bounds how many requests are worked on at once. One more is turned away at once, since in a
// queue it would only make the others late. A request is counted from when its body has arrived: who
// sends slowly holds a connection and no place.
type Gate struct {
	limit    int64
	inFlight atomic.Int64
	shed     prometheus.Counter
}

// NewGate returns a gate for limit requests, with metrics that registry collects.
func NewGate(limit int, registry prometheus.Registerer) *Gate {
	g := &Gate{
		limit: int64(limit),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "chit_http_requests_shed_total",
			Help: "Requests turned away because CHIT_MAX_CONCURRENT others were in flight.",
		}),
	}
	registry.MustRegister(g.shed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chit_http_requests_in_flight",
		Help: "Requests to the OAuth endpoints that have arrived and are not answered.",
	}, func() float64 { return float64(g.inFlight.Load()) }))
	return g
}

// enter takes a place, which leave gives back unless enter has failed.
func (g *Gate) enter() error {
	if g.inFlight.Add(1) > g.limit {
		g.inFlight.Add(-1)
		g.shed.Inc()
		return errOverload
	}
	return nil
}

func (g *Gate) leave() { g.inFlight.Add(-1) }
