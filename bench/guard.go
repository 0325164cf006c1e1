package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"chit/bench/load"
	"chit/bench/stack"
	"chit/guard"
)

type guardCommand struct {
	common `embed:""`

	Quick     bool  `help:"Fewer revocations and tokens, and three rounds of each measurement."`
	Rounds    int   `placeholder:"N" help:"Rounds of each measurement of throughput (default 60)."`
	Receivers []int `placeholder:"N,…" help:"Numbers of receivers (default 1,10,100)."`

	revocations int // by each way to revoke
	tokens      int // in memory
}

// issuer is the default of CHIT_ISSUER.
const issuer = "http://localhost:8080"

// Validate sets the defaults and refuses wrong settings.
func (g *guardCommand) Validate() error {
	rounds := 60
	g.revocations, g.tokens = 100, 100_000
	if g.Quick {
		rounds, g.revocations, g.tokens = 3, 10, 10_000
	}
	if g.Rounds == 0 {
		g.Rounds = rounds
	}
	if g.Receivers == nil {
		g.Receivers = []int{1, 10, 100}
	}
	var faults []error
	if g.Rounds < 1 {
		faults = append(faults, errors.New("--rounds must be at least 1"))
	}
	for _, n := range g.Receivers {
		if n < 1 || n > 1000 {
			faults = append(faults, fmt.Errorf("--receivers must be from 1 to 1000, not %d", n))
		}
	}
	return errors.Join(append(faults, g.common.Validate())...)
}

// Run measures and prints the results. It fails on any wrong answer.
func (g *guardCommand) Run(ctx context.Context) error {
	return g.onStack(ctx, func(s *stack.Stack, _ *load.Wrk) error {
		r := &guarding{guardCommand: g, stack: s}
		if err := r.start(ctx); err != nil {
			return err
		}
		if err := register(ctx, s, g.revocations+1); err != nil {
			return err
		}
		for _, measure := range []func(context.Context) error{r.cost, r.check, r.revocation, r.memory} {
			if err := measure(ctx); err != nil {
				return fmt.Errorf("%w\n%s", err, s.Chit.Log())
			}
		}
		return nil
	})
}

// guarding is a run.
type guarding struct {
	*guardCommand
	stack *stack.Stack
	loop  *load.Loop
}

// start starts chit, and a client for it.
func (r *guarding) start(ctx context.Context) (err error) {
	if err := r.stack.StartChit(ctx); err != nil {
		return err
	}
	r.loop, err = load.NewLoop(r.stack.Chit.URL, growthConns)
	return err
}

// guards returns guards that hear the server. stop closes them.
func (r *guarding) guards(ctx context.Context, n int) (all []*guard.Guard, stop func(), err error) {
	stop = func() {
		for _, g := range all {
			g.Close()
		}
	}
	for range n {
		g, err := guard.New(guard.Config{
			Issuer: issuer, Addresses: []string{r.stack.Chit.URL}, ClientID: resourceServer.ID, ClientSecret: resourceServer.Secret,
			MaxTokens: 2 * r.tokens, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return nil, stop, err
		}
		all = append(all, g)
	}
	for _, g := range all {
		for !g.Stats().Hearing {
			if err := pause(ctx, time.Millisecond); err != nil {
				return nil, stop, err
			}
		}
	}
	// In the first second after an event "all" no answer is kept.
	return all, stop, pause(ctx, 1100*time.Millisecond)
}
