package pages

import (
	"context"
	"sync"
	"time"
)

// Check is something that may be wrong with the server.
type Check struct {
	Name string
	Look func(context.Context) State
}

// Level is how wrong something is. Its text is a class of the style sheet.
type Level string

// The levels.
const (
	Good    Level = "good"
	Warning Level = "warning" // the server works, but somebody should look
	Failed  Level = "failed"
	Unknown Level = "unknown" // it cannot be told
)

// Word returns the level for people, who may not see colours.
func (l Level) Word() string {
	return map[Level]string{Good: "OK", Warning: "Look", Failed: "Failed", Unknown: "Unknown"}[l]
}

// State is the result of a check.
type State struct {
	Name  string // of the check
	Level Level
	Text  string
}

const (
	checkTimeout  = time.Second
	checkInterval = 2 * time.Second // how old a result may be
)

// checked are the latest results, which all visits share.
type checked struct {
	mu     sync.Mutex
	at     time.Time
	states []State
}

// states returns the results of all checks.
func (p *Pages) states(ctx context.Context) []State {
	p.checks.mu.Lock()
	defer p.checks.mu.Unlock()
	if time.Since(p.checks.at) < checkInterval {
		return p.checks.states
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	states := make([]State, len(p.Checks))
	var wait sync.WaitGroup
	for i, check := range p.Checks {
		wait.Go(func() {
			states[i] = check.Look(ctx)
			states[i].Name = check.Name
		})
	}
	wait.Wait()
	p.checks.at, p.checks.states = time.Now(), states
	return states
}
