package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Dimensions of a plot.
const (
	plotWidth, plotHeight = 440, 260
	plotLeft, plotRight   = 56, 16
	plotTop, plotBottom   = 12, 36
)

// plot shows one quantity by the number of connections, with a line for each server.
type plot struct {
	Title         string
	Width, Height int
	X, Y          []mark // of the axes
	Lines         []line
}

type mark struct {
	At   float64
	Text string
}

type line struct {
	Server string
	Path   string // in the format of an SVG polyline
	Points []point
}

type point struct {
	X, Y float64
	Text string
}

// newPlot draws the values. unit is shown when the mouse is over a point. The numbers of connections have
// equal distances, and values begin at zero.
func newPlot(title, unit string, rows []Row, value func(Row) float64) plot {
	p := plot{Title: title, Width: plotWidth, Height: plotHeight}
	var connections []int
	highest := 0.0
	for _, r := range rows {
		connections = append(connections, r.Connections)
		highest = max(highest, value(r))
	}
	slices.Sort(connections)
	connections = slices.Compact(connections)
	step := niceStep(highest / 4)
	top := max(step, math.Ceil(highest/step)*step)
	x := func(connections []int, n int) float64 {
		share := (float64(slices.Index(connections, n)) + 0.5) / float64(len(connections))
		return plotLeft + share*(plotWidth-plotLeft-plotRight)
	}
	y := func(v float64) float64 { return plotHeight - plotBottom - v/top*(plotHeight-plotTop-plotBottom) }
	for _, n := range connections {
		p.X = append(p.X, mark{x(connections, n), fmt.Sprint(n)})
	}
	for v := 0.0; v <= top+step/2; v += step {
		p.Y = append(p.Y, mark{y(v), short(v)})
	}
	for _, server := range []string{Ceiling, Floor, Before, Chit} {
		l := line{Server: server}
		var path []string
		for _, r := range rows {
			if r.Server == server {
				at := point{x(connections, r.Connections), y(value(r)), fmt.Sprintf("%s, %d connections: %s %s", server, r.Connections, short(value(r)), unit)}
				l.Points = append(l.Points, at)
				path = append(path, fmt.Sprintf("%.1f,%.1f", at.X, at.Y))
			}
		}
		if l.Path = strings.Join(path, " "); l.Path != "" {
			p.Lines = append(p.Lines, l)
		}
	}
	return p
}

// niceStep returns the next of 1, 2 and 5 times a power of ten.
func niceStep(least float64) float64 {
	if least <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least {
			return factor * power
		}
	}
	return 10 * power
}

func short(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.4gk", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
