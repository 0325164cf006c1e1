package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

// receive opens streams and reads them until stop is called.
func (r *guarding) receive(ctx context.Context, n int) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	for range n {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.stack.Chit.URL+"/invalidations", nil)
		if err != nil {
			return cancel, err
		}
		request.SetBasicAuth(resourceServer.ID, resourceServer.Secret)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return cancel, err
		}
		if response.StatusCode != http.StatusOK {
			return cancel, fmt.Errorf("GET /invalidations: %s", response.Status)
		}
		go func() {
			_, _ = io.Copy(io.Discard, response.Body) // it ends with the context
			response.Body.Close()
		}()
	}
	return cancel, nil
}

// cost compares issuing and introspection with and without receivers. It starts a second server with a
// PostgreSQL and a Redis of its own, which never has receivers and whose Redis sends no events. The two are
// measured in turn, because machines are not equally fast all the time. The first row has no receivers on
// either server, and shows how much the measurement varies.
func (r *guarding) cost(ctx context.Context) error {
	plain, err := stack.New(ctx, r.Set)
	defer plain.Stop() //nolint:errcheck // what matters was measured
	if err != nil {
		return err
	}
	other := &guarding{guardCommand: r.guardCommand, stack: plain}
	if err := other.start(ctx); err != nil {
		return err
	}
	if err := register(ctx, plain, 1); err != nil {
		return err
	}
	var rows [][]string
	for _, workload := range []string{"issue", "introspect"} {
		for _, n := range append([]int{0}, r.Receivers...) {
			say("%s with %d receivers", workload, n)
			with, without, err := r.compare(ctx, other, workload, n)
			if err != nil {
				return err
			}
			ratios := make([]float64, len(with))
			for i := range with {
				ratios[i] = with[i] / without[i]
			}
			rows = append(rows, []string{workload, fmt.Sprint(n), humanize.Comma(int64(report.Median(without))), humanize.Comma(int64(report.Median(with))),
				fmt.Sprintf("%.3f", report.Median(ratios)), fmt.Sprintf("%.3f to %.3f", report.Quantile(ratios, 0.25), report.Quantile(ratios, 0.75))})
		}
	}
	printTable(fmt.Sprintf("What receivers cost, at %d connections, %d rounds", growthConns, r.Rounds),
		[]string{"", "receivers", "requests/s without", "with", "median of the ratios", "half of the ratios"}, rows...)
	return nil
}

// compare measures both servers in turn, with n receivers on the first. The order changes with each round.
func (r *guarding) compare(ctx context.Context, other *guarding, workload string, n int) (with, without []float64, err error) {
	for round := range r.Rounds {
		pair := []*guarding{r, other}
		if round%2 == 1 {
			pair[0], pair[1] = other, r
		}
		for _, measured := range pair {
			receivers := n
			if measured == other {
				receivers = 0
			}
			rate, err := measured.rate(ctx, workload, receivers)
			if err != nil {
				return nil, nil, err
			}
			if measured == other {
				without = append(without, rate)
			} else {
				with = append(with, rate)
			}
		}
	}
	return with, without, nil
}

// slice is the length of one measurement. Short measurements in turn tell small differences from changes of
// the machine's speed.
const slice = 200 * time.Millisecond

// rate returns requests a second, with n receivers and an empty Redis. It fails on any wrong answer.
func (r *guarding) rate(ctx context.Context, workload string, n int) (float64, error) {
	if err := r.stack.Empty(ctx); err != nil {
		return 0, err
	}
	requests, expected := []load.Request{load.Issue(clients(1)[0])}, load.Issued
	if workload == "introspect" {
		tokens, err := r.loop.Issue(ctx, clients(1), 1000, nil)
		if err != nil {
			return 0, err
		}
		requests, expected = load.Introspections(resourceServer, tokens), load.Active
	}
	stop, err := r.receive(ctx, n)
	defer stop()
	if err = errors.Join(err, r.stack.Chit.EmptyLog(), pause(ctx, slice/4)); err != nil {
		return 0, err
	}
	began := time.Now()
	measuring, cancel := context.WithTimeout(ctx, slice)
	defer cancel()
	answers, err := r.loop.Repeat(measuring, requests, expected)
	return float64(len(answers)) / time.Since(began).Seconds(), err
}
