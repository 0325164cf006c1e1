package invalidations

import "github.com/prometheus/client_golang/prometheus"

// metrics are the metrics of a Hub.
type metrics struct {
	events    *prometheus.CounterVec
	lag       prometheus.Histogram
	overtaken prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, h *Hub) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chit_invalidation_events_total",
			Help: "Events that this node has heard and put on the stream of invalidations, by kind: token, client, all or heartbeat.",
		}, []string{"event"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "chit_invalidation_lag_seconds",
			Help:    "Time from when an event was heard until it was written to a receiver.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 15), // 0.1 ms to 1.6 s
		}),
		overtaken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "chit_invalidation_receivers_overtaken_total",
			Help: "Times that a receiver was too far behind and got one event \"all\" in place of many.",
		}),
	}
	for _, kind := range []string{kindToken, kindClient, kindAll, kindHeartbeat} {
		m.events.WithLabelValues(kind)
	}
	registry.MustRegister(m.events, m.lag, m.overtaken,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chit_invalidation_receivers",
			Help: "Open streams of invalidations.",
		}, func() float64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			return float64(h.receivers)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chit_invalidation_hearing",
			Help: "1 while this node hears of every change in the database and in Redis. It is 0 until the first receiver connects.",
		}, func() float64 {
			if h.Hearing() {
				return 1
			}
			return 0
		}),
	)
	return m
}
