package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

type methodsCommand struct {
	common `embed:""`

	Rounds      int           `default:"5" placeholder:"N" help:"Rounds; the methods take turns (default ${default})."`
	Connections int           `default:"64" placeholder:"N" help:"Number of connections (default ${default})."`
	Duration    time.Duration `default:"2s" placeholder:"DURATION" help:"Length of a measurement, in whole seconds (default ${default})."`
}

// Validate refuses wrong settings.
func (m *methodsCommand) Validate() error {
	if m.Rounds < 1 || m.Connections < 1 || m.Duration < time.Second || m.Duration%time.Second != 0 {
		return errors.New("--rounds and --connections must be at least 1, and --duration some whole seconds")
	}
	return m.common.Validate()
}

// method is a way to authenticate.
type method struct {
	name string
	// requests returns enough requests for a measurement, so that no assertion is sent twice in it.
	requests func() ([]load.Request, error)
}

// measured are the results of a method, one for each round.
type measured struct {
	rate, cpu []float64 // a second, and CPU seconds of the server for 1,000 requests
	p99       []time.Duration
}

// Run measures and prints the results. It fails on any wrong answer.
func (m *methodsCommand) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "chit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := newCredentials(int(m.Duration.Seconds()))
	if err != nil {
		return err
	}
	authorities := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(authorities, c.authority, 0o600); err != nil {
		return err
	}
	// The records of used assertions go with each emptied Redis, so that assertions are signed once.
	m.Set = append(m.Set, "CHIT_ASSERTION_MAX_LIFETIME=1h", "CHIT_TRUSTED_PROXIES=127.0.0.1", "CHIT_TLS_CLIENT_CA="+authorities)
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(c.documents["platform"]) }))
	defer platform.Close()
	return m.onStack(ctx, func(s *stack.Stack, wrk *load.Wrk) error {
		if err := s.StartChit(ctx); err != nil {
			return err
		}
		if err := errors.Join(register(ctx, s, 1), s.SQL(ctx, c.sql(platform.URL))); err != nil {
			return err
		}
		methods := c.methods()
		results, err := m.measure(ctx, s, wrk, methods)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, s.Chit.Log())
		}
		m.print(methods, results)
		return nil
	})
}

// measure lets the methods take turns, because machines are not equally fast all the time.
func (m *methodsCommand) measure(ctx context.Context, s *stack.Stack, wrk *load.Wrk, methods []method) (map[string]*measured, error) {
	results := map[string]*measured{}
	for round := range m.Rounds {
		turn := slices.Clone(methods)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, method := range turn {
			if results[method.name] == nil {
				results[method.name] = &measured{}
			}
			if err := m.one(ctx, s, wrk, method, results[method.name]); err != nil {
				return nil, fmt.Errorf("%s: %w", method.name, err)
			}
			say("round %d/%d, %-32s %8s/s", round+1, m.Rounds, method.name, humanize.Comma(int64(results[method.name].rate[round])))
		}
	}
	return results, nil
}

func (m *methodsCommand) one(ctx context.Context, s *stack.Stack, wrk *load.Wrk, method method, into *measured) error {
	requests, err := method.requests()
	if err != nil {
		return err
	}
	if err := s.Empty(ctx); err != nil {
		return err
	}
	before, err := s.Chit.Usage()
	if err != nil {
		return err
	}
	result, err := wrk.Run(ctx, load.Work{URL: s.Chit.URL, Requests: requests, Expected: []string{load.Issued}, Connections: m.Connections, Duration: m.Duration})
	if err != nil {
		return err
	}
	after, err := s.Chit.Usage()
	if err != nil {
		return err
	}
	if result.Errors > 0 {
		return fmt.Errorf("%d of %d answers were wrong: %s", result.Errors, result.Requests, result.Sample)
	}
	into.rate = append(into.rate, float64(result.Requests)/result.Took.Seconds())
	into.cpu = append(into.cpu, (after.CPU-before.CPU).Seconds()/float64(result.Requests)*1000)
	into.p99 = append(into.p99, result.P99)
	return nil
}

// print prints each method beside the secret.
func (m *methodsCommand) print(methods []method, results map[string]*measured) {
	secret := results[methods[0].name]
	var rows [][]string
	for _, method := range methods {
		r := results[method.name]
		rates, cpus := make([]float64, len(r.rate)), make([]float64, len(r.rate))
		for i := range r.rate {
			rates[i], cpus[i] = r.rate[i]/secret.rate[i], r.cpu[i]/secret.cpu[i]
		}
		slices.Sort(r.p99)
		rows = append(rows, []string{method.name, humanize.Comma(int64(report.Median(r.rate))), report.Latency(r.p99[len(r.p99)/2]),
			fmt.Sprintf("%.4f", report.Median(r.cpu)), fmt.Sprintf("%.2f", report.Median(rates)), fmt.Sprintf("%.2f", report.Median(cpus))})
	}
	printTable(fmt.Sprintf("Issuing by each method, at %d connections, %d rounds", m.Connections, m.Rounds),
		[]string{"", "requests/s", "p99", "CPU s/1,000", "× requests/s", "× CPU"}, rows...)
}

// form returns a token request without an Authorization header.
func form(more url.Values) load.Request {
	more.Set("grant_type", "client_credentials")
	return load.Request{Method: "POST", Path: "/token", Form: more.Encode()}
}
