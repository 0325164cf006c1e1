package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

type growthCommand struct {
	common `embed:""`

	Quick    bool          `help:"Up to 10,000 tokens, and one round of 2 s for each measurement."`
	Max      int           `placeholder:"N" help:"Live tokens at most (default 1000000); twice as many at the end, when many clients have as many as one."`
	Rounds   int           `placeholder:"N" help:"Rounds of each measurement (default 3)."`
	Duration time.Duration `placeholder:"DURATION" help:"Of each measurement, in whole seconds (default 3s)."`
}

const (
	many        = 1000 // clients that have as many tokens together
	growthConns = 64
	sampled     = 1000 // tokens in the sample for memory
	settle      = 2 * time.Second
)

// Validate sets the defaults and refuses wrong settings.
func (g *growthCommand) Validate() error {
	most, rounds, duration := 1_000_000, 3, 3*time.Second
	if g.Quick {
		most, rounds, duration = 10_000, 1, 2*time.Second
	}
	if g.Max == 0 {
		g.Max = most
	}
	if g.Rounds == 0 {
		g.Rounds = rounds
	}
	if g.Duration == 0 {
		g.Duration = duration
	}
	var faults []error
	if g.Max < many || g.Max > 10_000_000 {
		faults = append(faults, fmt.Errorf("--max must be from %d to 10000000", many))
	}
	if g.Rounds < 1 {
		faults = append(faults, errors.New("--rounds must be at least 1"))
	}
	return errors.Join(append(faults, wholeSeconds(g.Duration), g.common.Validate())...)
}

// sizes returns the numbers of tokens to measure at.
func (g *growthCommand) sizes() []int {
	sizes := slices.DeleteFunc([]int{10_000, 100_000, 1_000_000}, func(n int) bool { return n >= g.Max })
	return append(sizes, g.Max)
}

// Run measures and prints the results. It fails on any wrong answer.
func (g *growthCommand) Run(ctx context.Context) error {
	return g.onStack(ctx, func(s *stack.Stack, wrk *load.Wrk) error {
		if err := s.StartChit(ctx); err != nil {
			return err
		}
		// The first client has all its tokens alone. The others have as many together.
		if err := register(ctx, s, many+1); err != nil {
			return err
		}
		loop, err := load.NewLoop(s.Chit.URL, growthConns)
		if err != nil {
			return err
		}
		defer loop.Close()
		r := &growth{growthCommand: g, stack: s, wrk: wrk, loop: loop, one: clients(1), many: clients(many + 1)[1:]}
		return r.run(ctx)
	})
}

// growth is a run.
type growth struct {
	*growthCommand
	stack *stack.Stack
	wrk   *load.Wrk
	loop  *load.Loop

	one, many     []load.Client
	ofOne, ofMany []string // their tokens, without those that wrk received
	more          int64    // tokens that wrk received for the one client
	empty         stack.Memory
	table         [][]string // of memory and introspection
}

func (g *growth) run(ctx context.Context) error {
	if err := g.grow(ctx); err != nil {
		return err
	}
	if err := g.share(ctx); err != nil {
		return err
	}
	if err := g.issuing(ctx); err != nil {
		return err
	}
	return g.revocation(ctx)
}

// fill issues n tokens to the clients in turn.
func (g *growth) fill(ctx context.Context, to []load.Client, n int) ([]string, error) {
	started := time.Now()
	tokens, err := g.loop.Issue(ctx, to, n, func(done int) {
		fmt.Fprintf(os.Stderr, "\rissuing %s tokens: %d %%, %s ", humanize.Comma(int64(n)), done*100/n, time.Since(started).Round(time.Second))
	})
	say("")
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, g.stack.Chit.Log())
	}
	return tokens, g.stack.Chit.EmptyLog()
}

// load runs wrk for one round and returns its result. It fails on any wrong answer.
func (g *growth) load(ctx context.Context, requests []load.Request, expected string) (load.Result, error) {
	result, err := g.wrk.Run(ctx, load.Work{
		URL: g.stack.Chit.URL, Requests: requests, Expected: []string{expected}, Connections: growthConns, Duration: g.Duration,
	})
	if err == nil && result.Errors > 0 {
		err = fmt.Errorf("%d errors; a wrong answer: %s", result.Errors, result.Sample)
	}
	if err != nil {
		return result, fmt.Errorf("%w\n%s", err, g.stack.Chit.Log())
	}
	return result, g.stack.Chit.EmptyLog()
}

// some returns up to n tokens, spread over all tokens.
func some(tokens []string, n int) []string {
	n = min(n, len(tokens))
	picked := make([]string, n)
	for i := range picked {
		picked[i] = tokens[i*len(tokens)/n]
	}
	return picked
}

// printTable prints a heading and rows.
func printTable(heading string, header []string, rows ...[]string) {
	fmt.Println(heading)
	t := report.NewTable(os.Stdout, 2, header...)
	for _, row := range rows {
		t.AppendRow(report.Cells(row))
	}
	t.Render()
	fmt.Println()
}
