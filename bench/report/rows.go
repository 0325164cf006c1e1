// Package report turns measurements into rows, ratios to the floor, a table, a list of targets and a page.
package report

import (
	"cmp"
	"slices"
	"time"

	"chit/bench/load"
)

// Names of the servers.
const (
	Floor   = "floor"
	Chit    = "chit"
	Ceiling = "ceiling"
	Before  = "before" // chit of another commit, in place of the floor
)

// Names of the workloads.
const (
	Issue      = "issue"
	Introspect = "introspect"
	Mix        = "mix"      // one issue to 20 introspections
	Constant   = "constant" // the constant answer of the ceiling
)

// Cell is a workload at a number of connections.
type Cell struct {
	Workload    string `json:"workload"`
	Connections int    `json:"connections"`
}

// Measurement is the result for one server, one cell and one round.
type Measurement struct {
	Round  int    `json:"round"`
	Server string `json:"server"`
	Cell
	load.Result
	CPU  time.Duration `json:"cpu"`      // of the server, for all requests
	RSS  int64         `json:"rss"`      // bytes, of the server, at the end
	Peak int64         `json:"peak_rss"` // bytes, of the server, during the measurement
}

// Rate returns requests per second.
func (m Measurement) Rate() float64 { return float64(m.Requests) / m.Took.Seconds() }

// CPUPerThousand returns the server's CPU seconds per 1,000 requests.
func (m Measurement) CPUPerThousand() float64 { return m.CPU.Seconds() / float64(m.Requests) * 1000 }

// Row has the medians of all rounds for one server and one cell, and the sum of the errors.
type Row struct {
	Server string
	Cell
	Rate     float64
	P50, P99 time.Duration
	CPU      float64 // seconds per 1,000 requests
	RSS      int64
	Peak     int64 // the highest of all rounds
	Errors   int64
	Ratio    Ratio
}

// Ratio has the ratios of a row to the floor, or to what replaces it. Each is the median of the ratios in single rounds, where both
// servers ran one after the other. It is zero if there is nothing to compare with.
type Ratio struct{ Rate, P99, CPU float64 }

// Rows returns the rows of a run. The rows of a cell are together, in the order of the measurements.
func Rows(all []Measurement) []Row {
	var rows []Row
	for _, m := range all {
		if !slices.ContainsFunc(rows, func(r Row) bool { return r.Server == m.Server && r.Cell == m.Cell }) {
			rows = append(rows, row(all, m.Server, m.Cell))
		}
	}
	workloads := []string{Issue, Introspect, Mix, Constant}
	servers := []string{Floor, Before, Chit, Ceiling}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(
			slices.Index(workloads, a.Workload)-slices.Index(workloads, b.Workload),
			a.Connections-b.Connections,
			slices.Index(servers, a.Server)-slices.Index(servers, b.Server),
		)
	})
	return rows
}

func row(all []Measurement, server string, cell Cell) Row {
	r := Row{Server: server, Cell: cell}
	var rate, p50, p99, cpu, rss []float64
	var rateTo, p99To, cpuTo []float64
	for _, m := range all {
		if m.Server != server || m.Cell != cell {
			continue
		}
		rate, p50, p99 = append(rate, m.Rate()), append(p50, float64(m.P50)), append(p99, float64(m.P99))
		cpu, rss = append(cpu, m.CPUPerThousand()), append(rss, float64(m.RSS))
		r.Peak, r.Errors = max(r.Peak, m.Peak), r.Errors+m.Errors
		if floor, found := floorOf(all, m); found {
			rateTo = append(rateTo, m.Rate()/floor.Rate())
			p99To = append(p99To, float64(m.P99)/float64(floor.P99))
			cpuTo = append(cpuTo, m.CPUPerThousand()/floor.CPUPerThousand())
		}
	}
	r.Rate, r.CPU, r.RSS = Median(rate), Median(cpu), int64(Median(rss))
	r.P50, r.P99 = time.Duration(Median(p50)), time.Duration(Median(p99))
	r.Ratio = Ratio{Median(rateTo), Median(p99To), Median(cpuTo)}
	return r
}

// floorOf returns the measurement of the floor, or of what replaces it, in the same round. The ceiling is compared with issuing on
// the floor.
func floorOf(all []Measurement, m Measurement) (Measurement, bool) {
	if m.Workload == Constant {
		m.Workload = Issue
	}
	i := slices.IndexFunc(all, func(f Measurement) bool {
		return (f.Server == Floor || f.Server == Before) && f.Round == m.Round && f.Cell == m.Cell
	})
	if i < 0 {
		return Measurement{}, false
	}
	return all[i], true
}

// Median returns the median of values, or 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Quantile returns the value that a share q of the values does not exceed, or 0 if there are none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
