package handlers

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"chit/usage"
)

// Durations returns how long requests to the token and introspection endpoints have taken since the start.
func (m *Metrics) Durations() usage.Histogram {
	sum := usage.Histogram{Bounds: durationBuckets, Counts: make([]uint64, len(durationBuckets)+1)}
	for _, route := range []string{"/token", "/oauth2/token", "/introspect", "/oauth2/introspect"} {
		var sample dto.Metric
		if err := m.duration.WithLabelValues(route).(prometheus.Histogram).Write(&sample); err != nil {
			continue // a histogram can always be written
		}
		below := uint64(0)
		for i, bucket := range sample.Histogram.Bucket {
			sum.Counts[i] += bucket.GetCumulativeCount() - below
			below = bucket.GetCumulativeCount()
		}
		sum.Counts[len(durationBuckets)] += sample.Histogram.GetSampleCount() - below
	}
	return sum
}
