package tokens_test

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// Page by page every token is returned once, the last to expire first, even if most expire in the same second
// and others are issued or removed meanwhile.
func TestPages(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"miniredis": redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}),
		"redis":     apptest.StartRedis(t).Client(),
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			store := &tokens.Store{Redis: client, Prefix: "chit", Now: func() time.Time { return now }}
			left := map[string]bool{}
			for i := range 1000 {
				_, issued, err := store.Issue(t.Context(), models.Grant{ClientID: "many", TTL: time.Hour + time.Duration(i%3/2)*time.Second})
				if err != nil {
					t.Fatal(err)
				}
				left[issued.ID] = true
			}
			after, pages, last := "", 0, now.Add(2*time.Hour)
			for {
				found, next, err := store.Page(t.Context(), "many", after, 64)
				if err != nil || len(found) > 64 {
					t.Fatalf("%d tokens, %v", len(found), err)
				}
				for _, token := range found {
					if !left[token.ID] {
						t.Errorf("%s a second time", token.ID)
					}
					if token.ExpiresAt.After(last) {
						t.Errorf("%s expires after the one before it", token.ID)
					}
					last = token.ExpiresAt
					delete(left, token.ID)
				}
				if pages++; next == "" {
					break
				}
				if pages == 3 { // tokens that were listed are removed, and a new one is issued
					if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: "many", TTL: 2 * time.Hour}); err != nil {
						t.Fatal(err)
					}
					for _, token := range found[:32] {
						if err := store.Revoke(t.Context(), token); err != nil {
							t.Fatal(err)
						}
					}
				}
				after = next
			}
			if len(left) != 0 || pages > 20 {
				t.Errorf("%d tokens are missing after %d pages", len(left), pages)
			}
		})
	}
}

func TestWrongCursors(t *testing.T) {
	store := &tokens.Store{Redis: redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}), Now: time.Now}
	id := tokens.ID("any")
	for _, cursor := range []string{"x", "1.2", "1.2.x", "-1.2." + id, "1.-2." + id, "NaN.2." + id, "1.99999999999." + id, "1.2." + id + ".3"} {
		if _, _, err := store.Page(t.Context(), "many", cursor, 10); !errors.Is(err, tokens.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
	if found, next, err := store.Page(t.Context(), "many", "1.2000000000."+id, 10); len(found) != 0 || next != "" || err != nil {
		t.Errorf("past the end: %v, %q, %v", found, next, err)
	}
}
