package guard

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestUsedProofs(t *testing.T) {
	var u used
	now := time.Unix(1_800_000_000, 0)
	proof := func(key, id string, at time.Time) *Proof { return &Proof{Key: key, ID: id, IssuedAt: at} }
	for _, row := range []struct {
		name  string
		proof *Proof
		at    time.Time
		want  error
	}{
		{"first", proof("k", "a", now), now, nil},
		{"again", proof("k", "a", now), now, ErrProofUsed},
		{"another one", proof("k", "b", now), now, nil},
		{"of another key", proof("l", "a", now), now, nil},
		{"issued ahead", proof("k", "c", now.Add(time.Minute)), now, nil},
		{"issued ahead, as long as it is fresh", proof("k", "c", now.Add(time.Minute)), now.Add(2 * time.Minute), ErrProofUsed},
		{"after the clock was set back", proof("k", "a", now), now.Add(30 * time.Second), ErrProofUsed},
		{"an old one that was never seen, after the clock was set back", proof("k", "d", now), now, ErrProofUsed},
		{"a new one then", proof("k", "d", now.Add(2*time.Minute)), now.Add(2 * time.Minute), nil},
	} {
		if err := u.use(row.proof, row.at); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// Proofs are forgotten, and their number has a bound.
func TestUsedProofsAreBounded(t *testing.T) {
	u := used{limit: 1000}
	now := time.Unix(1_800_000_000, 0)
	for second := range 600 {
		at := now.Add(time.Duration(second) * time.Second)
		for i := range 10 {
			if err := u.use(&Proof{ID: fmt.Sprint(second, i), IssuedAt: at}, at); err != nil {
				t.Fatalf("after %d s with %d proofs: %v", second, u.count, err)
			}
		}
	}
	if u.count > 750 || len(u.periods) > 8 {
		t.Errorf("%d proofs of %d periods are remembered", u.count, len(u.periods))
	}
	end := now.Add(600 * time.Second)
	var err error
	for i := 0; err == nil && i < 2000; i++ {
		err = u.use(&Proof{ID: fmt.Sprint("more", i), IssuedAt: end}, end)
	}
	if !errors.Is(err, ErrUnavailable) || u.count != 1000 {
		t.Errorf("with %d proofs: %v", u.count, err)
	}
}

func TestUsedProofsAtOnce(t *testing.T) {
	var u used
	var first atomic.Int64
	var running sync.WaitGroup
	now := time.Unix(1_800_000_000, 0)
	for range 100 {
		running.Go(func() {
			if u.use(&Proof{ID: "a", IssuedAt: now}, now) == nil {
				first.Add(1)
			}
		})
	}
	running.Wait()
	if first.Load() != 1 {
		t.Errorf("%d requests were the first", first.Load())
	}
}

func TestNoncesOfAGuard(t *testing.T) {
	n, other := nonces{[]byte("one key")}, nonces{[]byte("another key")}
	now := time.Unix(1_800_000_000, 0).Truncate(NoncePeriod)
	nonce := n.current(now)
	for at, want := range map[time.Duration]bool{0: true, 2*NoncePeriod - 1: true, 2 * NoncePeriod: false, -NoncePeriod: true, -NoncePeriod - 1: false} {
		if n.accepts(nonce, now.Add(at)) != want {
			t.Errorf("after %v: not %t", at, want)
		}
	}
	if other.accepts(nonce, now) || n.accepts("", now) || n.current(now.Add(NoncePeriod)) == nonce {
		t.Error("another nonce is accepted, or the same one is sent again")
	}
}
