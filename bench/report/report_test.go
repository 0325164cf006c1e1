package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"chit/bench/load"
)

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 2, 100}, 3},
	} {
		if got := Median(row.values); got != row.want {
			t.Errorf("median of %v: %v, want %v", row.values, got, row.want)
		}
	}
}

// measured returns a measurement of one second.
func measured(round int, server, workload string, requests int64, p99 time.Duration) Measurement {
	return Measurement{
		Round: round, Server: server, Cell: Cell{workload, 64},
		Result: load.Result{Requests: requests, Took: time.Second, P99: p99},
		CPU:    time.Second, Peak: requests,
	}
}

// Round 2 is three times as fast for both servers, as if other load had ended. Ratios of medians would be
// 1.5 here.
var rounds = []Measurement{
	measured(1, Floor, Issue, 1000, 4*time.Millisecond), measured(1, Chit, Issue, 1500, 2*time.Millisecond),
	measured(1, Ceiling, Constant, 4000, time.Millisecond),
	measured(2, Chit, Issue, 6000, time.Millisecond), measured(2, Floor, Issue, 3000, time.Millisecond),
	measured(3, Floor, Issue, 1000, time.Millisecond), measured(3, Chit, Issue, 1300, 3*time.Millisecond),
}

func TestRows(t *testing.T) {
	rows := Rows(rounds)
	if len(rows) != 3 || rows[0].Server != Floor || rows[1].Server != Chit || rows[2].Server != Ceiling {
		t.Fatalf("rows: %+v", rows)
	}
	chit, ceiling := rows[1], rows[2]
	if chit.Rate != 1500 || chit.P99 != 2*time.Millisecond || chit.Peak != 6000 {
		t.Errorf("medians: %+v", chit)
	}
	if chit.Ratio.Rate != 1.5 || chit.Ratio.P99 != 1 || math.Abs(chit.Ratio.CPU-2/3.) > 1e-9 {
		t.Errorf("ratios: %+v", chit.Ratio)
	}
	if ceiling.Ratio.Rate != 4 {
		t.Errorf("the ceiling to the floor's issuing: %+v", ceiling.Ratio)
	}
}

func TestTargets(t *testing.T) {
	var out strings.Builder
	if missed := WriteTargets(&out, Rows(rounds)); missed != 0 {
		t.Errorf("%d missed:\n%s", missed, &out)
	}
	if got := strings.Count(out.String(), "reached"); got != 3 {
		t.Errorf("%d reached, want those of issuing at 64:\n%s", got, &out)
	}
	slow := []Measurement{measured(1, Floor, Issue, 1000, 1), measured(1, Chit, Issue, 1200, 2)}
	if missed := WriteTargets(&out, Rows(slow)); missed != 2 {
		t.Errorf("%d missed, want requests/s and p99:\n%s", missed, &out)
	}
}

func TestPage(t *testing.T) {
	var out strings.Builder
	page := Page{Machine: []Fact{{"processor", "<2 cores>"}}, Command: "go run ."}
	if err := page.Write(&out, Rows(rounds)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"&lt;2 cores&gt;", `<g class="chit"><polyline points="`, "chit, 64 connections: 1500 requests/s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "http") {
		t.Error("the page reaches for something elsewhere")
	}
}

func TestNiceStep(t *testing.T) {
	for least, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.1: 2, 4400: 5000, 6000: 10000} {
		if got := niceStep(least); math.Abs(got-want) > 1e-9 {
			t.Errorf("niceStep(%v) = %v, want %v", least, got, want)
		}
	}
}
