package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
	"chit/bench/stack"
)

var memoryHeader = []string{
	"tokens of", "live tokens", "value B/token", "index B/token", "tables B/token", "total B/token",
	"introspect/s", "p50", "p99", "server RSS", "peak RSS",
}

// grow measures at each size, with all tokens issued to one client.
func (g *growth) grow(ctx context.Context) (err error) {
	if g.empty, err = g.stack.Memory(ctx, nil); err != nil {
		return err
	}
	for _, size := range g.sizes() {
		issued, err := g.fill(ctx, g.one, size-len(g.ofOne))
		if err != nil {
			return err
		}
		g.ofOne = append(g.ofOne, issued...)
		if err := g.measure(ctx, "one client", g.ofOne, stack.Memory{Used: g.empty.Used}); err != nil {
			return err
		}
	}
	return nil
}

// share issues as many tokens to many clients as the one client has.
func (g *growth) share(ctx context.Context) (err error) {
	before, err := g.stack.Memory(ctx, nil)
	if err != nil {
		return err
	}
	if g.ofMany, err = g.fill(ctx, g.many, g.Max); err != nil {
		return err
	}
	if err := g.measure(ctx, "1,000 clients beside it", g.ofMany, before); err != nil {
		return err
	}
	printTable("Memory and introspection as tokens get many", memoryHeader, g.table...)
	return nil
}

// measure adds a row for the tokens that were issued since before.
func (g *growth) measure(ctx context.Context, of string, tokens []string, before stack.Memory) error {
	// An index may be written a second later, and Redis enlarges its tables in the background.
	if err := pause(ctx, settle); err != nil {
		return err
	}
	memory, err := g.stack.Memory(ctx, some(tokens, sampled))
	if err != nil {
		return err
	}
	g.stack.Chit.ForgetPeak()
	say("introspecting %s of %s tokens", humanize.Comma(int64(len(some(tokens, live)))), humanize.Comma(int64(len(tokens))))
	requests := load.Introspections(resourceServer, some(tokens, live))
	var rate, p50, p99 []float64
	for range g.Rounds {
		result, err := g.load(ctx, requests, load.Active)
		if err != nil {
			return err
		}
		rate = append(rate, float64(result.Requests)/result.Took.Seconds())
		p50, p99 = append(p50, float64(result.P50)), append(p99, float64(result.P99))
	}
	usage, err := g.stack.Chit.Usage()
	if err != nil {
		return err
	}
	n := int64(len(tokens))
	total, index := (memory.Used-before.Used)/n, (memory.Index-before.Index)/n
	g.table = append(g.table, []string{
		of, humanize.Comma(n), fmt.Sprint(memory.Value), fmt.Sprint(index), fmt.Sprint(total - index - memory.Value), fmt.Sprint(total),
		humanize.Comma(int64(report.Median(rate))), report.Latency(time.Duration(report.Median(p50))),
		report.Latency(time.Duration(report.Median(p99))), report.Bytes(usage.RSS), report.Bytes(usage.Peak),
	})
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
