package main

import (
	"slices"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	full, quick, own := runCommand{}, runCommand{Quick: true}, runCommand{Quick: true, Connections: []int{4}, Duration: time.Second}
	full.Threads, quick.Threads, own.Threads = 1, 1, 1
	for _, row := range []struct {
		command     *runCommand
		rounds      int
		duration    time.Duration
		connections []int
	}{
		{&full, 3, 5 * time.Second, []int{1, 16, 64, 256}},
		{&quick, 1, 2 * time.Second, []int{1, 64}},
		{&own, 1, time.Second, []int{4}},
	} {
		c := row.command
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if c.Rounds != row.rounds || c.Duration != row.duration || !slices.Equal(c.Connections, row.connections) {
			t.Errorf("got %d, %s, %v; want %d, %s, %v", c.Rounds, c.Duration, c.Connections, row.rounds, row.duration, row.connections)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]runCommand{
		"wrk knows whole seconds only": {Duration: 1500 * time.Millisecond},
		"a negative duration":          {Duration: -time.Second},
		"no connections":               {Connections: []int{0}},
		"negative rounds":              {Rounds: -1},
	} {
		c.Threads = 1
		if err := c.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSizes(t *testing.T) {
	for most, want := range map[int][]int{
		5_000:     {5_000},
		10_000:    {10_000},
		50_000:    {10_000, 50_000},
		1_000_000: {10_000, 100_000, 1_000_000},
		2_000_000: {10_000, 100_000, 1_000_000, 2_000_000},
	} {
		g := growthCommand{Max: most}
		if got := g.sizes(); !slices.Equal(got, want) {
			t.Errorf("up to %d: %v, want %v", most, got, want)
		}
	}
}

func TestSome(t *testing.T) {
	if got, want := some([]string{"a", "b", "c", "d", "e", "f"}, 3), []string{"a", "c", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := some([]string{"a"}, 3); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %v", got)
	}
}
