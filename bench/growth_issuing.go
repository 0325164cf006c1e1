package main

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
)

// issuing compares one client that has all its tokens with many clients that have as many together, in
// turn.
func (g *growth) issuing(ctx context.Context) error {
	var one, many, ratio []float64
	for round := range g.Rounds {
		say("issuing, round %d/%d: one client, then 1,000", round+1, g.Rounds)
		rateOfOne, err := g.issueRate(ctx, g.one)
		if err != nil {
			return err
		}
		rateOfMany, err := g.issueRate(ctx, g.many)
		if err != nil {
			return err
		}
		one, many, ratio = append(one, rateOfOne), append(many, rateOfMany), append(ratio, rateOfOne/rateOfMany)
	}
	each := humanize.Comma(int64(g.Max))
	printTable("Issuing, with the tokens above alive", []string{"to", "tokens/s"},
		[]string{fmt.Sprintf("one client with %s tokens", each), humanize.Comma(int64(report.Median(one)))},
		[]string{fmt.Sprintf("1,000 clients with %s together", each), humanize.Comma(int64(report.Median(many)))},
		[]string{"ratio, median of the rounds", fmt.Sprintf("%.2f", report.Median(ratio))})
	return nil
}

func (g *growth) issueRate(ctx context.Context, to []load.Client) (float64, error) {
	requests := make([]load.Request, len(to))
	for i, client := range to {
		requests[i] = load.Issue(client)
	}
	result, err := g.load(ctx, requests, load.Issued)
	if len(to) == 1 {
		g.more += result.Requests
	}
	return float64(result.Requests) / result.Took.Seconds(), err
}
