package pages

import (
	"fmt"
	"time"

	"chit/usage"
)

// The size of a chart in the units of its SVG.
const (
	chartWidth  = 600
	chartHeight = 100
	chartSlots  = 60 // minutes
	slotWidth   = chartWidth / chartSlots
)

// chart is the last hour of one number, with a bar for each minute.
type chart struct {
	Title string
	Class string // of the style sheet
	Peak  string // the highest value, for people
	Last  string // the value of the last whole minute; a dash if there was none
	Bars  []bar
	Rows  []row // the same as a table
}

type bar struct {
	X, Y, Width, Height int
	Title               string
}

type row struct{ Minute, Value string }

// charts returns the charts of these minutes.
func charts(minutes []usage.Minute, now time.Time) []chart {
	count := func(n int64) string { return number(n) }
	took := func(n int64) string { return durationText(time.Duration(n)) }
	return []chart{
		newChart("Tokens issued a minute", "issued", minutes, now, func(m usage.Minute) int64 { return m.Issued }, count),
		newChart("Introspections a minute", "introspected", minutes, now, func(m usage.Minute) int64 { return m.Introspected }, count),
		newChart("Requests refused a minute", "refused", minutes, now, func(m usage.Minute) int64 { return m.Refused }, count),
		newChart("Time of a request, p99", "took", minutes, now, func(m usage.Minute) int64 { return int64(m.P99) }, took),
	}
}

func newChart(title, class string, minutes []usage.Minute, now time.Time, value func(usage.Minute) int64, text func(int64) string) chart {
	c := chart{Title: title, Class: class, Last: "–"}
	peak := int64(0)
	for _, minute := range minutes {
		peak = max(peak, value(minute))
	}
	c.Peak = text(peak)
	for i, minute := range minutes {
		v := value(minute)
		at := minute.Start.UTC().Format("15:04")
		c.Rows = append(c.Rows, row{at, text(v)})
		if i == len(minutes)-2 {
			c.Last = text(v)
		}
		slot := chartSlots - 1 - int(now.Truncate(time.Minute).Sub(minute.Start.Truncate(time.Minute)).Minutes())
		if v == 0 || slot < 0 || slot >= chartSlots {
			continue
		}
		height := max(2, int(v*chartHeight/peak))
		c.Bars = append(c.Bars, bar{slot*slotWidth + 1, chartHeight - height, slotWidth - 2, height, fmt.Sprintf("%s UTC: %s", at, text(v))})
	}
	return c
}
