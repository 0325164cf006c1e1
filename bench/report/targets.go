package report

import (
	"fmt"
	"io"
)

// target is a limit for a ratio of Chit to the floor.
type target struct {
	Cell
	what   string
	of     func(Ratio) float64
	atMost bool
	bound  float64
}

func rate(r Ratio) float64 { return r.Rate }
func p99(r Ratio) float64  { return r.P99 }
func cpu(r Ratio) float64  { return r.CPU }

// targets apply to an idle machine.
var targets = []target{
	{Cell{Issue, 64}, "requests/s", rate, false, 1.3},
	{Cell{Introspect, 64}, "requests/s", rate, false, 1.5},
	{Cell{Issue, 64}, "p99", p99, true, 1},
	{Cell{Introspect, 64}, "p99", p99, true, 1},
	{Cell{Issue, 64}, "CPU per 1,000", cpu, true, 1},
	{Cell{Introspect, 64}, "CPU per 1,000", cpu, true, 1},
	{Cell{Issue, 256}, "requests/s", rate, false, 1.5},
	{Cell{Introspect, 256}, "requests/s", rate, false, 1.8},
	{Cell{Issue, 1}, "requests/s", rate, false, 0.9},
	{Cell{Introspect, 1}, "requests/s", rate, false, 0.9},
}

// verdict reports whether the rows meet a target. known is false if the rows do not show it.
func (t target) verdict(rows []Row) (got float64, reached, known bool) {
	for _, r := range rows {
		if r.Server != Chit || r.Cell != t.Cell || t.of(r.Ratio) == 0 {
			continue
		}
		got = t.of(r.Ratio)
		if t.atMost {
			return got, got <= t.bound, true
		}
		return got, got >= t.bound, true
	}
	return 0, false, false
}

// WriteTargets writes which targets are met, and returns the number of targets that are missed.
func WriteTargets(out io.Writer, rows []Row) (missed int) {
	t := NewTable(out, 4, "target", "workload", "verdict", "connections", "wanted", "got")
	for _, target := range targets {
		got, reached, known := target.verdict(rows)
		verdict := "not measured"
		if known && reached {
			verdict = "reached"
		} else if known {
			verdict = "MISSED"
			missed++
		}
		sign := "≥"
		if target.atMost {
			sign = "≤"
		}
		t.AppendRow(Cells([]string{
			target.what, target.Workload, verdict, fmt.Sprint(target.Connections),
			fmt.Sprintf("%s %.1f × floor", sign, target.bound), times(got),
		}))
	}
	t.Render()
	return missed
}
