package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"chit/console/pages"
)

const (
	certificateNotice = 14 * 24 * time.Hour // how long before its end a certificate is mentioned
	clockNotice       = time.Second         // a difference between clocks that is mentioned
	clockLimit        = time.Minute         // a difference that makes new tokens inactive
)

// checks are what may be wrong with the server.
func (s *Server) checks() []pages.Check {
	checks := []pages.Check{
		{Name: "Database", Look: answering(s.clients.Ping, "clients in memory go on working for "+s.config.ClientMaxStale.String())},
		{Name: "Redis", Look: answering(s.tokens.Ping, "no token can be issued or checked")},
		{Name: "Changes of clients", Look: hearing(s.current)},
		{Name: "Clock", Look: s.compareClocks},
	}
	if s.config.publicPair().isSet() || s.config.opsPair().isSet() {
		checks = append(checks, pages.Check{Name: "Certificate", Look: s.lookAtCertificates})
	}
	return checks
}

// answering checks that a store answers. without is what happens while it does not.
func answering(ping func(context.Context) error, without string) func(context.Context) pages.State {
	return func(ctx context.Context) pages.State {
		began := time.Now()
		if err := ping(ctx); err != nil {
			return pages.State{Level: pages.Failed, Text: "does not answer: " + without}
		}
		return pages.State{Level: pages.Good, Text: fmt.Sprintf("answers in %.1f ms", float64(time.Since(began).Microseconds())/1000)}
	}
}

// hearing checks that notifications of changes in the database arrive.
func hearing(current func() bool) func(context.Context) pages.State {
	return func(context.Context) pages.State {
		if !current() {
			return pages.State{Level: pages.Warning, Text: "are not heard: each client is read again every second"}
		}
		return pages.State{Level: pages.Good, Text: "are in force at once"}
	}
}

// compareClocks compares the clock of this machine with those of the stores.
func (s *Server) compareClocks(ctx context.Context) pages.State {
	var farthest string
	var compared []string
	worst := time.Duration(0)
	for _, store := range []struct {
		name string
		now  func(context.Context) (time.Time, error)
	}{{"the database", s.clients.Clock}, {"Redis", s.tokens.Clock}} {
		began := time.Now()
		theirs, err := store.now(ctx)
		if err != nil {
			continue // another check tells that it does not answer
		}
		compared = append(compared, store.name)
		ours := began.Add(time.Since(began) / 2)
		if off := ours.Sub(theirs); off.Abs() > worst.Abs() {
			worst, farthest = off, store.name
		}
	}
	switch {
	case len(compared) == 0:
		return pages.State{Level: pages.Unknown, Text: "cannot be compared with others"}
	case worst.Abs() < clockNotice:
		return pages.State{Level: pages.Good, Text: "agrees with that of " + strings.Join(compared, " and that of ")}
	}
	level, word := pages.Warning, "ahead of"
	if worst < 0 {
		word = "behind"
	}
	if worst.Abs() >= clockLimit {
		level = pages.Failed
	}
	return pages.State{Level: level, Text: fmt.Sprintf("is %v %s that of %s", worst.Abs().Round(100*time.Millisecond), word, farthest)}
}

// lookAtCertificates finds the certificate that expires first.
func (s *Server) lookAtCertificates(context.Context) pages.State {
	var first time.Time
	for _, c := range s.certificates {
		current, _ := c.forHandshake(nil) // it returns no error
		if end := current.Leaf.NotAfter; first.IsZero() || end.Before(first) {
			first = end
		}
	}
	left, day := time.Until(first), first.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case left <= 0:
		return pages.State{Level: pages.Failed, Text: "has expired on " + day + ", and clients refuse it"}
	case left < certificateNotice:
		return pages.State{Level: pages.Warning, Text: "expires on " + day + ": replace its files"}
	}
	return pages.State{Level: pages.Good, Text: "expires on " + day}
}
