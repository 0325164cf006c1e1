package report

import (
	_ "embed"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Page has the text of the page, in addition to the measurements.
type Page struct {
	Machine []Fact `json:"machine"`
	Commit  string `json:"commit"`
	Command string `json:"command"`
	Date    string `json:"date"`
}

// Fact is something about the machine or its programs.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type section struct {
	Workload string
	Plots    []plot
}

// Write writes the page as a single file.
func (p Page) Write(out io.Writer, rows []Row) error {
	var texts [][]string
	for _, r := range rows {
		texts = append(texts, r.texts())
	}
	return pageTemplate.Execute(out, map[string]any{
		"Page": p, "Columns": columns, "Rows": texts, "Sections": sections(rows),
	})
}

func sections(rows []Row) []section {
	var all []section
	for _, workload := range []string{Issue, Introspect, Mix} {
		var of []Row
		measured := false
		for _, r := range rows {
			// The ceiling is the same for every workload.
			if r.Workload == workload || r.Workload == Constant {
				of = append(of, r)
			}
			measured = measured || r.Workload == workload
		}
		if measured {
			all = append(all, section{workload, []plot{
				newPlot("requests per second", "requests/s", of, func(r Row) float64 { return r.Rate }),
				newPlot("p99, milliseconds", "ms", of, func(r Row) float64 { return float64(r.P99) / float64(time.Millisecond) }),
			}})
		}
	}
	return all
}
