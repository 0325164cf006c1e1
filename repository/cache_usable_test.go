package repository

import (
	"testing"
	"time"
)

// Usable decides whether a node is ready without the database.
func TestUsable(t *testing.T) {
	c, f := newCache(t, 10)
	pass := listening(c)
	expect := func(when string, want bool) {
		t.Helper()
		if c.Usable() != want {
			t.Errorf("%s: usable %t", when, !want)
		}
	}
	expect("empty", false)
	name(t, c, "a")
	expect("one client", true)
	c.forget("a")
	expect("it was changed", false)
	name(t, c, "a")
	c.forgetAll()
	expect("all may have changed", false)
	pass(time.Millisecond)
	name(t, c, "a")
	c.deaf()
	f.set(func() { f.err = errDown })
	pass(9 * time.Minute)
	expect("within MaxStale", true)
	pass(2 * time.Minute)
	expect("after MaxStale", false)
}
