package usage

import (
	"slices"
	"sync"
	"time"
)

const (
	sampleInterval = 2 * time.Second
	samples        = 6 // that are kept: rates are those of the last 10 to 12 seconds
)

// recent are the totals at some times within the last seconds.
type recent struct {
	mu      sync.Mutex
	samples []moment // oldest first
}

func (r *recent) add(at time.Time, total snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, moment{at, total})
	if len(r.samples) > samples {
		r.samples = slices.Delete(r.samples, 0, len(r.samples)-samples)
	}
}

func (r *recent) oldest() moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.samples[0]
}

// Rates are what this node has answered within the last ten seconds.
type Rates struct {
	Issued, Introspected, Refused float64       // requests a second
	P50, P99                      time.Duration // of the time of a request; 0: there was none
}

// Now returns the present rates.
func (t *Tracker) Now() Rates {
	before, now := t.recent.oldest(), t.totals()
	seconds := max(1, t.now().Sub(before.at).Seconds())
	took := now.durations.since(before.total.durations)
	return Rates{
		Issued:       float64(now.issued-before.total.issued) / seconds,
		Introspected: float64(now.introspected-before.total.introspected) / seconds,
		Refused:      float64(now.refused-before.total.refused) / seconds,
		P50:          took.Quantile(0.5),
		P99:          took.Quantile(0.99),
	}
}
