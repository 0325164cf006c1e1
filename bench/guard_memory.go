package main

import (
	"context"
	"errors"
	"runtime"

	"github.com/dustin/go-humanize"
)

// memory measures what a token in memory and a receiver take.
func (r *guarding) memory(ctx context.Context) error {
	guards, stop, err := r.guards(ctx, 1)
	defer stop()
	if err != nil {
		return err
	}
	say("keeping %s tokens", humanize.Comma(int64(r.tokens)))
	tokens, err := r.loop.Issue(ctx, clients(1), r.tokens, nil)
	if err != nil {
		return err
	}
	empty := heap()
	if err := keep(ctx, guards[0], tokens); err != nil {
		return err
	}
	perToken := (heap() - empty) / int64(len(tokens))
	kept := guards[0].Stats().Active
	const receivers = 1000
	before, err := r.stack.Chit.Usage()
	if err != nil {
		return err
	}
	cancel, err := r.receive(ctx, receivers)
	defer cancel()
	if err = errors.Join(err, pause(ctx, settle)); err != nil {
		return err
	}
	after, err := r.stack.Chit.Usage()
	if err != nil {
		return err
	}
	printTable("Memory", []string{"", "number", "bytes each"},
		[]string{"kept token, in the heap of the guard", humanize.Comma(int64(kept)), humanize.Comma(perToken)},
		[]string{"receiver, in the RSS of the server", humanize.Comma(receivers), humanize.Comma((after.RSS - before.RSS) / receivers)})
	return nil
}

// heap returns the size of what is in use in the heap of this process.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
