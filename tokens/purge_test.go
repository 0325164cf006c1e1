package tokens_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/models"
	"chit/tokens"
)

func TestListAndPurge(t *testing.T) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redisURL, pass := start(t)
			client, err := tokens.Connect(redisURL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			s := suite{&tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}, client, pass}
			t.Run("find by id", s.findByID)
			t.Run("list", s.list)
			t.Run("list while tokens come and go", s.listInMotion)
			t.Run("purge up to an instant", s.purgeUpTo)
			t.Run("purge is interrupted and goes on", s.purgeInterrupted)
			t.Run("purge what a deleted client has left", s.purgeAll)
			t.Run("nothing to purge", s.purgeNothing)
		})
	}
}

// several issues tokens for a client that all expire at the same time, and returns their ids.
func (s suite) several(t *testing.T, client string, count int) []string {
	t.Helper()
	now := time.Now()
	store := &tokens.Store{Redis: s.client, Prefix: "chit", Now: func() time.Time { return now }}
	var ids []string
	for range count {
		_, issued, err := store.Issue(t.Context(), models.Grant{ClientID: client, Scope: "read write", TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, issued.ID)
	}
	return ids
}

func (s suite) exist(t *testing.T, ids []string) (count int64) {
	t.Helper()
	for _, id := range ids {
		exists, err := s.client.Exists(t.Context(), "oauth:token:"+id).Result()
		if err != nil {
			t.Fatal(err)
		}
		count += exists
	}
	return count
}

func (s suite) findByID(t *testing.T) {
	token, issued := s.issue(t, "by-id", time.Hour)
	found, err := s.FindByID(t.Context(), issued.ID)
	if byToken, _ := s.Find(t.Context(), token); err != nil || found != byToken {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := s.FindByID(t.Context(), tokens.ID("another")); !errors.Is(err, models.ErrTokenNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
}

func (s suite) listed(t *testing.T, client string) (ids []string) {
	t.Helper()
	for token, err := range s.List(t.Context(), client) {
		if err != nil {
			t.Fatal(err)
		}
		if token.ClientID != client || token.Scope != "read write" {
			t.Errorf("%+v", token)
		}
		ids = append(ids, token.ID)
	}
	return ids
}

// There are more tokens than one page holds, most with the same score. Ids without a key and values of
// another kind are skipped.
func (s suite) list(t *testing.T) {
	s.issue(t, "someone else", time.Hour)
	want := s.several(t, "lister", 1201)
	_, last := s.issue(t, "lister", 2*time.Hour)
	first := s.several(t, "lister", 2)
	s.client.Del(t.Context(), "oauth:token:"+first[0])
	s.client.Set(t.Context(), "oauth:token:"+first[1], "not JSON", time.Hour)
	got := s.listed(t, "lister")
	if len(got) != 1202 || got[1201] != last.ID {
		t.Fatalf("%d tokens", len(got))
	}
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(got[:1201])), want) {
		t.Error("other tokens than those issued")
	}
	if none := s.listed(t, "nobody"); len(none) != 0 {
		t.Errorf("of an unknown client: %q", none)
	}
}

// Ids with the same score are added and removed while the index is read. A token that is there all the time
// is returned exactly once.
func (s suite) listInMotion(t *testing.T) {
	const index = "oauth:client:mover:tokens"
	ids := s.several(t, "mover", 2500)
	score, err := s.client.ZScore(t.Context(), index, ids[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var gone []any
	for token, err := range s.List(t.Context(), "mover") {
		if err != nil {
			t.Fatal(err)
		}
		seen[token.ID]++
		gone = append(gone, token.ID)
		switch len(seen) {
		case 100, 700, 1900:
			if err := s.client.ZRem(t.Context(), index, gone[:90]...).Err(); err != nil {
				t.Fatal(err)
			}
			gone = gone[90:]
		case 1200, 1600:
			var entries []redis.Z
			for i := range 700 {
				entries = append(entries, redis.Z{Score: score, Member: tokens.ID(strconv.Itoa(len(seen) + i))})
			}
			if err := s.client.ZAdd(t.Context(), index, entries...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("%s came %d times", id, seen[id])
		}
	}
}

// expired is a time after which keys that Purge lets expire are gone.
const expired = 150 * time.Millisecond

func (s suite) purgeUpTo(t *testing.T) {
	others := s.several(t, "bystander", 3)
	old := s.several(t, "purged", 1100)
	s.client.Del(t.Context(), "oauth:token:"+old[0])
	last, err := s.FindByID(t.Context(), old[1099])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	later := s.several(t, "purged", 3)
	var steps []string
	removed, err := s.Purge(t.Context(), "purged", last.IssuedAt, func(done, total int) {
		steps = append(steps, strconv.Itoa(done)+"/"+strconv.Itoa(total))
	})
	if err != nil || removed != 1099 {
		t.Errorf("removed %d, %v", removed, err)
	}
	if want := []string{"500/1103", "1000/1103", "1103/1103"}; !slices.Equal(steps, want) {
		t.Errorf("progress %q", steps)
	}
	s.pass(expired)
	if left := s.exist(t, old); left != 0 {
		t.Errorf("%d keys are left", left)
	}
	if s.exist(t, later) != 3 || s.exist(t, others) != 3 {
		t.Error("a later token, or one of another client, is gone")
	}
	want := append(later, old[0]) // this looks like a token that is being issued
	if got := s.index(t, "purged"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the index holds %d ids, want %d", len(got), len(want))
	}
}

func (s suite) purgeInterrupted(t *testing.T) {
	ids := s.several(t, "patient", 1200)
	ctx, cancel := context.WithCancel(t.Context())
	removed, err := s.Purge(ctx, "patient", time.Now(), func(int, int) { cancel() })
	s.pass(expired)
	if !errors.Is(err, context.Canceled) || removed != 500 || s.exist(t, ids) != 700 || len(s.index(t, "patient")) != 700 {
		t.Errorf("removed %d, %v; %d keys, %d ids left", removed, err, s.exist(t, ids), len(s.index(t, "patient")))
	}
	removed, err = s.Purge(t.Context(), "patient", time.Now(), nil)
	s.pass(expired)
	if err != nil || removed != 700 || s.exist(t, ids) != 0 || len(s.index(t, "patient")) != 0 {
		t.Errorf("removed %d, %v; %d keys, %d ids left", removed, err, s.exist(t, ids), len(s.index(t, "patient")))
	}
}

func (s suite) purgeAll(t *testing.T) {
	ids := s.several(t, "deleted", 700)
	s.client.Del(t.Context(), "oauth:token:"+ids[0])
	s.client.Set(t.Context(), "oauth:token:"+ids[1], "not JSON", time.Hour)
	removed, err := s.PurgeAll(t.Context(), "deleted", nil)
	s.pass(expired)
	if err != nil || removed != 699 || s.exist(t, ids) != 0 || len(s.index(t, "deleted")) != 0 {
		t.Errorf("removed %d, %v; %d keys, %d ids left", removed, err, s.exist(t, ids), len(s.index(t, "deleted")))
	}
}

func (s suite) purgeNothing(t *testing.T) {
	removed, err := s.Purge(t.Context(), "nobody", time.Now(), func(int, int) { t.Error("there is no progress to report") })
	if err != nil || removed != 0 {
		t.Errorf("removed %d, %v", removed, err)
	}
}
