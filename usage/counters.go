package usage

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// Counters is a collector of the requests by client. Only the first clients that were used have counters of
// their own, as many as New was told. A client that was not seen for an hour loses them to another.
type Counters struct{ *Tracker }

var requests = prometheus.NewDesc("chit_client_requests_total",
	"Requests of the clients that have counters of their own (CHIT_METRICS_CLIENTS), by kind: issued or introspected.", []string{"client_id", "kind"}, nil)

// Describe is part of a prometheus.Collector.
func (c Counters) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- requests }

// Collect is part of a prometheus.Collector.
func (c Counters) Collect(metrics chan<- prometheus.Metric) {
	c.mu.RLock()
	counted := maps.Clone(c.clients)
	c.mu.RUnlock()
	maps.DeleteFunc(counted, func(_ string, client *Client) bool { return !client.counted })
	for id, client := range counted {
		metrics <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(client.issued.Load()), id, "issued")
		metrics <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(client.introspected.Load()), id, "introspected")
	}
}
