package report

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// columns are the columns of the table and the page. The last three are ratios to the floor.
var columns = []string{
	"workload", "connections", "server", "requests/s", "p50", "p99", "CPU s/1,000", "RSS", "peak RSS", "errors",
	"× requests/s", "× p99", "× CPU",
}

// texts returns the cells of a row.
func (r Row) texts() []string {
	return []string{
		r.Workload, fmt.Sprint(r.Connections), r.Server,
		humanize.Comma(int64(r.Rate)), Latency(r.P50), Latency(r.P99), fmt.Sprintf("%.4f", r.CPU),
		Bytes(r.RSS), Bytes(r.Peak), humanize.Comma(r.Errors),
		times(r.Ratio.Rate), times(r.Ratio.P99), times(r.Ratio.CPU),
	}
}

// WriteTable writes the rows as a table.
func WriteTable(out io.Writer, rows []Row) {
	t := NewTable(out, 4, columns...)
	for i, r := range rows {
		if i > 0 && rows[i-1].Workload != r.Workload {
			t.AppendSeparator()
		}
		t.AppendRow(Cells(r.texts()))
	}
	t.Render()
}

// NewTable returns a table. Columns from number "numbers" on, counted from 1, are aligned to the right.
func NewTable(out io.Writer, numbers int, header ...string) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(Cells(header))
	var configs []table.ColumnConfig
	for n := numbers; n <= len(header); n++ {
		configs = append(configs, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	return t
}

// Cells makes a row for a table of NewTable.
func Cells(texts []string) table.Row {
	row := make(table.Row, len(texts))
	for i, text := range texts {
		row[i] = text
	}
	return row
}

// Latency formats d in milliseconds.
func Latency(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// Bytes formats n in MiB.
func Bytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func times(ratio float64) string {
	if ratio == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", ratio)
}
