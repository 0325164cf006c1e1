package dpop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"chit/guard"
	"chit/models"
)

// agreement is what the nodes of a test agree on.
type agreement struct {
	texts  map[string]string
	asked  int
	broken error
}

func (a *agreement) agree(_ context.Context, id string, lifetime time.Duration) (string, error) {
	a.asked++
	if a.broken != nil {
		return "", a.broken
	}
	if lifetime < 4*guard.NoncePeriod {
		return "", errors.New("it is gone before its time")
	}
	if a.texts[id] == "" {
		a.texts[id] = id + strings.Repeat("x", len(a.texts))
	}
	return a.texts[id], nil
}

func TestNonces(t *testing.T) {
	shared := &agreement{texts: map[string]string{}}
	one, other := &Nonces{Agree: shared.agree}, &Nonces{Agree: shared.agree}
	now := time.Unix(1_800_000_000, 0).Truncate(guard.NoncePeriod)
	nonce, err := one.Current(t.Context(), now)
	if err != nil || nonce == "" {
		t.Fatal(nonce, err)
	}
	for _, row := range []struct {
		name string
		at   time.Duration
		want bool
	}{
		{"at once", 0, true},
		{"until the next period ends", 2*guard.NoncePeriod - 1, true},
		{"after it", 2 * guard.NoncePeriod, false},
		{"by a clock that is behind", -guard.NoncePeriod, true},
		{"by one that is far behind", -guard.NoncePeriod - 1, false},
	} {
		for _, node := range []*Nonces{one, other} {
			if got, err := node.accept(t.Context(), nonce, now.Add(row.at)); got != row.want || err != nil {
				t.Errorf("%s: %t %v", row.name, got, err)
			}
		}
	}
	for _, wrong := range []string{"", "x", nonce + "x", nonce[1:]} {
		if got, err := one.accept(t.Context(), wrong, now); got || err != nil {
			t.Errorf("%q: %t %v", wrong, got, err)
		}
	}
	if next, err := one.Current(t.Context(), now.Add(guard.NoncePeriod)); next == nonce || err != nil {
		t.Errorf("in the next period: %q %v", next, err)
	}
}

// Wrong nonces do not make a node ask each time.
func TestWrongNoncesCostLittle(t *testing.T) {
	shared := &agreement{texts: map[string]string{}}
	n, now := &Nonces{Agree: shared.agree}, time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		if got, err := n.accept(t.Context(), "wrong", now.Add(time.Duration(i)*time.Millisecond)); got || err != nil {
			t.Fatal(got, err)
		}
	}
	if shared.asked > 3 {
		t.Errorf("asked %d times in a second", shared.asked)
	}
	for hours := range 100 {
		if _, err := n.Current(t.Context(), now.Add(time.Duration(hours)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.known) > 1 {
		t.Errorf("%d nonces are kept", len(n.known))
	}
}

// A node whose store has lost its data takes over what the others have agreed on since.
func TestNoncesAfterALoss(t *testing.T) {
	shared := &agreement{texts: map[string]string{}}
	one, other := &Nonces{Agree: shared.agree}, &Nonces{Agree: shared.agree}
	now := time.Unix(1_800_000_000, 0)
	old, _ := one.Current(t.Context(), now)
	shared.texts = map[string]string{"another": "text"}
	renewed, _ := other.Current(t.Context(), now)
	if renewed == old {
		t.Fatal("it is the same nonce")
	}
	if got, err := one.accept(t.Context(), renewed, now.Add(time.Second)); !got || err != nil {
		t.Errorf("%t %v", got, err)
	}
	if got, _ := one.Current(t.Context(), now); got != renewed {
		t.Errorf("%q is sent, not %q", got, renewed)
	}
}

// Without the store there is neither a nonce nor an answer.
func TestNoncesWithoutTheStore(t *testing.T) {
	n, now := &Nonces{Agree: (&agreement{broken: models.ErrUnavailable}).agree}, time.Unix(1_800_000_000, 0)
	if nonce, err := n.Current(t.Context(), now); nonce != "" || !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("%q %v", nonce, err)
	}
	if got, err := n.accept(t.Context(), "x", now); got || !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("%t %v", got, err)
	}
}
