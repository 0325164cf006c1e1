package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

const (
	live      = 10_000 // tokens that are introspected in turn
	fillConns = 32
	perIssue  = 20 // introspections for each issue in the mix
)

// contest is one run. The servers take turns, so that other load on the machine affects all of them alike.
type contest struct {
	*runCommand
	stack   *stack.Stack
	wrk     *load.Wrk
	started time.Time

	measurements []report.Measurement
}

func (c *contest) run(ctx context.Context) error {
	say("%d measurements of %s", c.total(), c.Duration)
	for round := 1; round <= c.Rounds; round++ {
		// The order changes, because the second server may find a warmer machine.
		turn := []*stack.Server{c.stack.Floor, c.stack.Chit}
		if c.stack.Before != nil {
			turn[0] = c.stack.Before
		}
		if round%2 == 0 {
			slices.Reverse(turn)
		}
		for _, connections := range c.Connections {
			if err := c.round(ctx, round, connections, turn); err != nil {
				return err
			}
		}
	}
	return nil
}

// round measures every workload at a number of connections, on one server after the other.
func (c *contest) round(ctx context.Context, round, connections int, turn []*stack.Server) error {
	cell := func(workload string) report.Measurement {
		return report.Measurement{Round: round, Cell: report.Cell{Workload: workload, Connections: connections}}
	}
	if slices.Contains(c.Only, report.Issue) {
		for _, server := range turn {
			// Each measurement starts with an empty Redis, because Redis fills up within seconds.
			if err := c.stack.Empty(ctx); err != nil {
				return err
			}
			if err := c.measure(ctx, server, cell(report.Issue), []load.Request{load.Issue(clients(1)[0])}, load.Issued); err != nil {
				return err
			}
		}
	}
	if slices.Contains(c.Only, report.Constant) && c.stack.Ceiling != nil {
		err := c.measure(ctx, c.stack.Ceiling, cell(report.Constant), []load.Request{{Method: "GET", Path: "/"}}, "constant")
		if err != nil {
			return err
		}
	}
	return c.introspections(ctx, cell, turn)
}

// introspections measures the workloads that introspect. Redis has only the tokens that they use.
func (c *contest) introspections(ctx context.Context, cell func(string) report.Measurement, turn []*stack.Server) error {
	introspect, mix := slices.Contains(c.Only, report.Introspect), slices.Contains(c.Only, report.Mix)
	if !introspect && !mix {
		return nil
	}
	if err := c.stack.Empty(ctx); err != nil {
		return err
	}
	questions := map[*stack.Server][]load.Request{}
	for _, server := range turn {
		tokens, err := c.issue(ctx, server)
		if err != nil {
			return fmt.Errorf("%s: issue tokens to ask about: %w\n%s", server.Name, err, server.Log())
		}
		questions[server] = load.Introspections(resourceServer, tokens)
	}
	for _, server := range turn {
		if introspect {
			if err := c.measure(ctx, server, cell(report.Introspect), questions[server], load.Active); err != nil {
				return err
			}
		}
	}
	for _, server := range turn {
		if mix {
			mixed := load.Mix(load.Issue(clients(1)[0]), perIssue, questions[server])
			if err := c.measure(ctx, server, cell(report.Mix), mixed, load.Active, load.Issued); err != nil {
				return err
			}
		}
	}
	return nil
}

// issue lets the measured server issue the tokens that are introspected.
func (c *contest) issue(ctx context.Context, server *stack.Server) ([]string, error) {
	loop, err := load.NewLoop(server.URL, fillConns)
	if err != nil {
		return nil, err
	}
	defer loop.Close()
	return loop.Issue(ctx, clients(1), live, nil)
}

// measure completes a measurement and stores it.
func (c *contest) measure(ctx context.Context, server *stack.Server, m report.Measurement, requests []load.Request, expected ...string) error {
	m.Server = server.Name
	fmt.Fprintf(os.Stderr, "[%3d/%d %5s] round %d/%d, %3d connections, %-10s %-7s ", len(c.measurements)+1, c.total(),
		time.Since(c.started).Round(time.Second), m.Round, c.Rounds, m.Connections, m.Workload, m.Server)
	if err := server.EmptyLog(); err != nil {
		return err
	}
	server.ForgetPeak()
	before, err := server.Usage()
	if err != nil {
		return fmt.Errorf("%s has ended: %w\n%s", server.Name, err, server.Log())
	}
	m.Result, err = c.wrk.Run(ctx, load.Work{
		URL: server.URL, Requests: requests, Expected: expected, Connections: m.Connections, Duration: c.Duration,
	})
	if err != nil {
		say("failed")
		return fmt.Errorf("%s, %s: %w\n%s", m.Server, m.Workload, err, server.Log())
	}
	after, err := server.Usage()
	if err != nil {
		return fmt.Errorf("%s has ended: %w\n%s", server.Name, err, server.Log())
	}
	m.CPU, m.RSS, m.Peak = after.CPU-before.CPU, after.RSS, after.Peak
	c.measurements = append(c.measurements, m)
	say("%8s/s, p99 %s", humanize.Comma(int64(m.Rate())), report.Latency(m.P99))
	if m.Errors > 0 {
		say("%d errors; a wrong answer: %s\n%s", m.Errors, m.Sample, server.Log())
	}
	return nil
}

// total returns the number of measurements of the run.
func (c *contest) total() int {
	each := 0
	for _, workload := range []string{report.Issue, report.Introspect, report.Mix} {
		if slices.Contains(c.Only, workload) {
			each += 2
		}
	}
	if slices.Contains(c.Only, report.Constant) && c.Before == "" {
		each++
	}
	return each * len(c.Connections) * c.Rounds
}
