package tokens_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

func TestCount(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"miniredis": redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}),
		"redis":     apptest.StartRedis(t).Client(),
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			store := &tokens.Store{Redis: client, Prefix: "chit", Now: func() time.Time { return now }}
			for i := range 6 {
				if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: fmt.Sprint("c", i%2), TTL: time.Duration(1+i) * time.Hour}); err != nil {
					t.Fatal(err)
				}
			}
			ids := []string{"c0", "c1"}
			for i := range 2000 { // more than one round trip
				ids = append(ids, fmt.Sprint("none ", i))
			}
			now = now.Add(90 * time.Minute) // the first token of c0 has expired
			counts, err := store.Count(t.Context(), ids...)
			if err != nil || counts["c0"] != 2 || counts["c1"] != 3 || counts["none 1999"] != 0 || len(counts) != 2002 {
				t.Errorf("%d counts, c0 %d, c1 %d, %v", len(counts), counts["c0"], counts["c1"], err)
			}
		})
	}
	away := miniredis.RunT(t)
	store := &tokens.Store{Redis: redis.NewClient(&redis.Options{Addr: away.Addr()}), Now: time.Now}
	away.Close()
	if _, err := store.Count(t.Context(), "c0"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}
