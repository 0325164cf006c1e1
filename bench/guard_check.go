package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/guard"
)

const (
	checkedTokens = 10_000
	checksEach    = 200_000 // by each goroutine
)

// check measures checks of tokens in memory, and introspections of the same tokens.
func (r *guarding) check(ctx context.Context) error {
	guards, stop, err := r.guards(ctx, 1)
	defer stop()
	if err != nil {
		return err
	}
	tokens, err := r.loop.Issue(ctx, clients(1), checkedTokens, nil)
	if err != nil {
		return err
	}
	if err := keep(ctx, guards[0], tokens); err != nil {
		return err
	}
	var rows [][]string
	for _, goroutines := range []int{1, 8} {
		say("checking with %d goroutines", goroutines)
		kept, each, err := checkAll(ctx, guards[0], tokens, goroutines)
		if err != nil {
			return err
		}
		asked, err := r.ask(ctx, tokens, goroutines)
		if err != nil {
			return err
		}
		rows = append(rows,
			checkRow("guard.Check", goroutines, kept, fmt.Sprintf("%.2f", each)),
			checkRow("POST /introspect", goroutines, asked, ""),
			[]string{"times faster", fmt.Sprint(goroutines), "", times(asked, kept, 0.5), times(asked, kept, 0.99), ""})
	}
	printTable(fmt.Sprintf("A check of one of %s tokens", humanize.Comma(checkedTokens)), []string{"", "goroutines", "checks", "p50", "p99", "allocations"}, rows...)
	return r.checkBound(guards[0], tokens[0])
}

func checkRow(name string, goroutines int, took []time.Duration, allocations string) []string {
	return []string{name, fmt.Sprint(goroutines), humanize.Comma(int64(len(took))), quantile(took, 0.5).String(), quantile(took, 0.99).String(), allocations}
}

// keep makes a guard keep all tokens.
func keep(ctx context.Context, g *guard.Guard, tokens []string) error {
	for _, token := range tokens {
		if _, err := g.Check(ctx, token); err != nil {
			return err
		}
	}
	return nil
}

// checkAll checks random tokens, and returns the latencies, less the time that it takes to read the clock,
// and the allocations for each check.
func checkAll(ctx context.Context, g *guard.Guard, tokens []string, goroutines int) (took []time.Duration, allocations float64, err error) {
	clock := clockTime()
	all, faults := make([][]time.Duration, goroutines), make([]error, goroutines)
	for i := range all {
		all[i] = make([]time.Duration, checksEach)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var working sync.WaitGroup
	for i := range goroutines {
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for n := range checksEach {
				token := tokens[random.IntN(len(tokens))]
				began := time.Now()
				if _, err := g.Check(ctx, token); err != nil {
					faults[i] = err
				}
				all[i][n] = max(0, time.Since(began)-clock)
			}
		})
	}
	working.Wait()
	runtime.ReadMemStats(&after)
	took = slices.Concat(all...)
	for _, fault := range faults {
		if fault != nil {
			err = fault
		}
	}
	return took, float64(after.Mallocs-before.Mallocs) / float64(len(took)), err
}

// clockTime returns the median time between two readings of the clock.
func clockTime() time.Duration {
	took := make([]time.Duration, 10_000)
	for i := range took {
		took[i] = time.Since(time.Now())
	}
	return quantile(took, 0.5)
}

// ask introspects the tokens on the server for a second.
func (r *guarding) ask(ctx context.Context, tokens []string, goroutines int) ([]time.Duration, error) {
	loop, err := load.NewLoop(r.stack.Chit.URL, goroutines)
	if err != nil {
		return nil, err
	}
	defer loop.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	answers, err := loop.Repeat(ctx, load.Introspections(resourceServer, tokens), load.Active)
	took := make([]time.Duration, len(answers))
	for i, answer := range answers {
		took[i] = answer.Took
	}
	return took, err
}

// quantile returns a quantile of latencies, which it sorts.
func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}

// times returns how many times longer a takes than b.
func times(a, b []time.Duration, q float64) string {
	return humanize.Comma(int64(quantile(a, q) / max(1, quantile(b, q))))
}
