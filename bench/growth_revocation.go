package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/bench/report"
)

// otherConns is the number of connections that introspect other clients' tokens during the revocation. It
// is small, because the latency matters here and not the throughput.
const otherConns = 16

// revocation revokes all tokens of the one client, and measures the introspections of other clients' tokens
// meanwhile.
func (g *growth) revocation(ctx context.Context) error {
	if _, err := g.stack.RunChit(ctx, "token", "revoke", "--help"); err != nil {
		say("this chit has no command `token revoke`: its effect is not measured")
		return context.Cause(ctx)
	}
	others := load.Introspections(resourceServer, some(g.ofMany, live))
	loop, err := load.NewLoop(g.stack.Chit.URL, otherConns)
	if err != nil {
		return err
	}
	defer loop.Close()
	say("revoking the tokens of the one client, while others are asked about")
	asking, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		answers []load.Answer
		err     error
	}
	outcomes := make(chan outcome, 1)
	go func() {
		answers, err := loop.Repeat(asking, others, load.Active)
		outcomes <- outcome{answers, err}
	}()
	errPause := pause(ctx, time.Duration(g.Rounds)*g.Duration)
	began := time.Now()
	_, errRevoke := g.stack.RunChit(ctx, "token", "revoke", "--client", g.one[0].ID, "--yes")
	ended := time.Now()
	errAfter := pause(ctx, time.Second)
	stop()
	asked := <-outcomes
	if err := errors.Join(errPause, errRevoke, errAfter, asked.err); err != nil {
		return err
	}
	g.printRevocation(asked.answers, began, ended)
	return g.checkRevoked(ctx)
}

func (g *growth) printRevocation(answers []load.Answer, began, ended time.Time) {
	var before, during, after []float64
	for _, a := range answers {
		switch done := a.Sent.Add(a.Took); {
		case done.Before(began):
			before = append(before, float64(a.Took))
		case a.Sent.Before(ended):
			during = append(during, float64(a.Took))
		default:
			after = append(after, float64(a.Took))
		}
	}
	row := func(name string, took []float64) []string {
		return []string{name, humanize.Comma(int64(len(took))),
			report.Latency(time.Duration(report.Quantile(took, 0.5))), report.Latency(time.Duration(report.Quantile(took, 0.99)))}
	}
	printTable(
		fmt.Sprintf("chit token revoke --client, %s tokens: %s", humanize.Comma(int64(len(g.ofOne))+g.more), ended.Sub(began).Round(time.Millisecond)),
		[]string{"others' introspections", "answers", "p50", "p99"},
		row("before", before), row("during", during), row("in the second after", after),
		[]string{"during to before", "", "", fmt.Sprintf("%.2f", report.Quantile(during, 0.99)/report.Quantile(before, 0.99))})
}

// checkRevoked checks that the tokens were revoked.
func (g *growth) checkRevoked(ctx context.Context) error {
	// A change by SQL is in force within a second.
	if err := pause(ctx, settle); err != nil {
		return err
	}
	for _, token := range some(g.ofOne, 100) {
		answer, err := g.loop.Ask(load.Introspect(resourceServer, token))
		if err != nil {
			return err
		}
		if strings.Contains(answer, load.Active) {
			return errors.New("a token is active after its client's tokens were revoked")
		}
	}
	return nil
}
