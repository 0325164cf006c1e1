// Bench measures Chit. It compares its speed with the plainest server and with no server at all, and
// measures what tokens cost as their number grows. It starts everything that it needs on free ports of
// 127.0.0.1, and stops it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"chit/bench/load"
	"chit/bench/stack"
)

type commands struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Measure throughput, latency, CPU and memory beside the floor and the ceiling (the default)."`
	Guard   guardCommand   `cmd:"" help:"Measure checks of tokens, revocations, and what receivers of invalidations cost."`
	Methods methodsCommand `cmd:"" help:"Measure what issuing costs by each method of client authentication."`
	Growth  growthCommand  `cmd:"" help:"Measure what live tokens cost, from 10,000 to 1,000,000 of them."`
}

// common has the flags of all commands.
type common struct {
	Threads int      `default:"1" help:"Threads of wrk (default ${default}); more only where the machine has processors to spare."`
	Set     []string `placeholder:"NAME=VALUE" sep:"none" help:"Variable for chit in place of its default, as GOGC=400; may be repeated."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal stops the run in order, a second one at once.
	context.AfterFunc(ctx, stop)
	parsed := kong.Parse(&commands{}, kong.Name("bench"), kong.BindTo(ctx, (*context.Context)(nil)), kong.Exit(exit))
	if err := parsed.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// exit ends the process with status 2 for wrong usage, as is usual.
func exit(status int) { os.Exit(min(status, 2)) }

// Validate refuses values that wrk would not understand.
func (c *common) Validate() error {
	if c.Threads < 1 {
		return errors.New("--threads must be at least 1")
	}
	return nil
}

// onStack starts a stack and wrk, calls work, and stops them in any case.
func (c *common) onStack(ctx context.Context, work func(*stack.Stack, *load.Wrk) error) (err error) {
	wrk, err := load.NewWrk(c.Threads)
	if err != nil {
		return err
	}
	say("building chit, floor and ceiling; starting PostgreSQL and Redis")
	s, err := stack.New(ctx, c.Set)
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err != nil {
		return err
	}
	wrk.Dir = s.Dir
	return work(s, wrk)
}

// say prints the progress.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
