package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/models"
)

// outputFlag selects the format of a command's output.
type outputFlag struct {
	Output string `short:"o" enum:"table,json" default:"table" placeholder:"FORMAT" help:"table for people, json for programs (default table)."`
}

// print writes value as JSON, or the rows as a table. If header is nil, each row has a name and a value.
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

// checkedOutput keeps the first error of a writer, because most callers ignore the error of printing.
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

// plainTable is a table without lines. It suits terminals and awk.
func plainTable() table.Style {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	return style
}

// dateTime formats a time for tables, in UTC and seconds.
func dateTime(instant time.Time) string { return written(instant, time.DateTime) }

// orNever formats a time for tables. nil means never.
func orNever(instant *time.Time) string {
	if instant == nil {
		return "never"
	}
	return dateTime(*instant)
}

// toTheMillisecond formats a time where the order of events matters.
func toTheMillisecond(instant time.Time) string {
	return written(instant, "2006-01-02 15:04:05.000")
}

// seconds converts a time for JSON.
func seconds(instant *time.Time) *int64 {
	if instant == nil {
		return nil
	}
	at := instant.Unix()
	return &at
}

// written formats a time in UTC. The times that SQL calls infinity are written as in SQL.
func written(instant time.Time, layout string) string {
	switch {
	case instant.Equal(models.Infinity):
		return "infinity"
	case instant.Equal(models.NegativeInfinity):
		return "-infinity"
	}
	return instant.UTC().Format(layout)
}
