package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"

	"golang.org/x/term"

	"chit/app"
)

// yesFlag is for commands that ask before they delete something or revoke many tokens.
type yesFlag struct {
	Yes bool `short:"y" help:"Do not ask."`
}

// confirm asks at the terminal. It returns an error unless the answer is yes. Without a terminal the error
// is a usageError.
func (f yesFlag) confirm(c *console, question string) error {
	if f.Yes {
		return nil
	}
	if !term.IsTerminal(int(c.in.Fd())) {
		return usageError{errors.New("there is no terminal to ask at, so nothing was done: add --yes to go ahead")}
	}
	fmt.Fprint(c.err, question, " [y/N] ")
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil {
		fmt.Fprintln(c.err)
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was done")
	}
	return nil
}

// interruptible returns a console whose context ends with the first signal. A second signal ends the
// process.
func (c *console) interruptible() (*console, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(c.Context, app.StopSignals()...)
	context.AfterFunc(ctx, stop)
	until := *c
	until.Context = ctx
	return &until, stop
}
