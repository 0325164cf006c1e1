package app

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/models"
)

// outputFlag is how a command prints what it found.
type outputFlag struct {
	Output string `short:"o" enum:"table,json" default:"table" placeholder:"FORMAT" help:"table for people, json for programs (default table)."`
}

// print writes value as JSON or, for people, the rows as a table. Without a header each row is a
// name and what goes by it.
func (f outputFlag) print(c *console, value any, header table.Row, rows []table.Row) error {
	if f.Output == "json" {
		encoder := json.NewEncoder(c.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	writer := table.NewWriter()
	writer.SetStyle(plainTable())
	if header != nil {
		writer.AppendHeader(header)
	}
	writer.AppendRows(rows)
	if writer.Length() == 0 && header == nil {
		return nil
	}
	_, err := fmt.Fprintln(c.out, writer.Render())
	return err
}

// checkedOutput remembers the first error of what it writes to: many who print look at none.
type checkedOutput struct {
	io.Writer
	err error
}

func (o *checkedOutput) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// plainTable is a table without lines, for terminals and for awk.
func plainTable() table.Style {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	return style
}

// dateTime is an instant as tables have it: in UTC, to the second.
func dateTime(instant time.Time) string { return written(instant, time.DateTime) }

// toTheMillisecond is an instant where it matters which came first.
func toTheMillisecond(instant time.Time) string {
	return written(instant, "2006-01-02 15:04:05.000")
}

// seconds is an instant as JSON has it.
func seconds(instant *time.Time) *int64 {
	if instant == nil {
		return nil
	}
	at := instant.Unix()
	return &at
}

// written is an instant in UTC, or the word that SQL has for one that no calendar has.
func written(instant time.Time, layout string) string {
	switch {
	case instant.Equal(models.Infinity):
		return "infinity"
	case instant.Equal(models.NegativeInfinity):
		return "-infinity"
	}
	return instant.UTC().Format(layout)
}
