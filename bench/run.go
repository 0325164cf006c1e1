package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

type runCommand struct {
	common `embed:""`

	Quick       bool          `help:"One round of 2 s at 1 and 64 connections: under a minute in all. For a first look."`
	Rounds      int           `placeholder:"N" help:"Rounds (default 3)."`
	Duration    time.Duration `placeholder:"DURATION" help:"Of each measurement, in whole seconds (default 5s)."`
	Connections []int         `placeholder:"N,…" help:"Connections (default 1,16,64,256)."`
	Only        []string      `enum:"issue,introspect,mix,constant" default:"issue,introspect,mix,constant" placeholder:"WORKLOAD,…" help:"Workloads: ${enum} (default all)."`
	Before      string        `placeholder:"COMMIT" help:"Compare with chit of this commit in place of the floor and the ceiling."`
	Targets     bool          `help:"Print which of the project's targets are reached, and fail when one that was measured is not."`
	JSON        string        `name:"json" placeholder:"FILE" help:"Write every single measurement."`
	HTML        string        `name:"html" default:"bench.html" placeholder:"FILE" help:"Page to write (default ${default})."`
}

// Validate sets the defaults and refuses wrong settings.
func (r *runCommand) Validate() error {
	rounds, duration, connections := 3, 5*time.Second, []int{1, 16, 64, 256}
	if r.Quick {
		rounds, duration, connections = 1, 2*time.Second, []int{1, 64}
	}
	if r.Rounds == 0 {
		r.Rounds = rounds
	}
	if r.Duration == 0 {
		r.Duration = duration
	}
	if r.Connections == nil {
		r.Connections = connections
	}
	var faults []error
	if r.Rounds < 0 {
		faults = append(faults, errors.New("--rounds must be at least 1"))
	}
	for _, n := range r.Connections {
		if n < 1 || n > 10_000 {
			faults = append(faults, fmt.Errorf("--connections must be from 1 to 10000, not %d", n))
		}
	}
	if r.Before != "" && r.Targets {
		faults = append(faults, errors.New("--targets needs the floor, and --before replaces it"))
	}
	return errors.Join(append(faults, wholeSeconds(r.Duration), r.common.Validate())...)
}

func wholeSeconds(d time.Duration) error {
	if d < time.Second || d%time.Second != 0 {
		return fmt.Errorf("--duration must be whole seconds, as 5s, not %s", d)
	}
	return nil
}

// Run measures and prints the results. It fails on any wrong answer.
func (r *runCommand) Run(ctx context.Context) error {
	page := report.Page{Date: time.Now().Format("2006-01-02 15:04 MST"), Commit: commit(ctx), Command: commandLine(), Machine: machine(ctx)}
	var all []report.Measurement
	err := r.onStack(ctx, func(s *stack.Stack, wrk *load.Wrk) error {
		if err := r.startServers(ctx, s); err != nil {
			return err
		}
		c := &contest{runCommand: r, stack: s, wrk: wrk, started: time.Now()}
		defer func() { all = c.measurements }()
		return c.run(ctx)
	})
	if err != nil {
		return err
	}
	rows := report.Rows(all)
	report.WriteTable(os.Stdout, rows)
	return errors.Join(r.write(page, all, rows), r.verdict(rows))
}

// startServers starts the servers, each with one client and a resource server.
func (r *runCommand) startServers(ctx context.Context, s *stack.Stack) error {
	if err := s.StartChit(ctx); err != nil {
		return err
	}
	if err := register(ctx, s, 1); err != nil {
		return err
	}
	if r.Before != "" {
		return s.StartBefore(ctx, r.Before)
	}
	issuing := clients(1)[0]
	known := fmt.Sprintf("%s:%s %s:%s", issuing.ID, issuing.Secret, resourceServer.ID, resourceServer.Secret)
	if err := s.StartFloor(ctx, known); err != nil {
		return err
	}
	return s.StartCeiling(ctx)
}

func (r *runCommand) verdict(rows []report.Row) error {
	var wrong int64
	for _, row := range rows {
		wrong += row.Errors
	}
	missed := 0
	if r.Targets {
		missed = report.WriteTargets(os.Stdout, rows)
	}
	var faults []error
	if wrong > 0 {
		faults = append(faults, fmt.Errorf("%d requests were answered wrongly or not at all", wrong))
	}
	if missed > 0 {
		faults = append(faults, fmt.Errorf("%d targets are missed", missed))
	}
	return errors.Join(faults...)
}
