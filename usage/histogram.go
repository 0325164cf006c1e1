package usage

import "time"

// Histogram are numbers of requests by the time that they took.
type Histogram struct {
	Bounds []float64 // seconds, ascending
	Counts []uint64  // Counts[i] requests took at most Bounds[i] and more than the bound before it; the last element counts those above all bounds
}

// since returns the requests that are not in an earlier histogram with the same bounds.
func (h Histogram) since(before Histogram) Histogram {
	counts := make([]uint64, len(h.Counts))
	for i, count := range h.Counts {
		counts[i] = count
		if i < len(before.Counts) {
			counts[i] -= before.Counts[i]
		}
	}
	return Histogram{h.Bounds, counts}
}

// Quantile returns the time within which the part q of the requests was answered, by linear interpolation
// between the bounds. It returns 0 if there are no requests, and at most the highest bound.
func (h Histogram) Quantile(q float64) time.Duration {
	total := uint64(0)
	for _, count := range h.Counts {
		total += count
	}
	rank := q * float64(total)
	lower, below := 0.0, 0.0
	for i, bound := range h.Bounds {
		count := float64(h.Counts[i])
		if count > 0 && below+count >= rank {
			return time.Duration((lower + (bound-lower)*(rank-below)/count) * float64(time.Second))
		}
		lower, below = bound, below+count
	}
	if total == 0 {
		return 0
	}
	return time.Duration(lower * float64(time.Second))
}
