package cli_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
)

// A client is deleted and registered again with the same id. No token of the first registration is active
// afterwards, on any node, including tokens that were issued during the deletion.
func TestTokensDoNotComeBackWithTheID(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		nodes := []*apptest.Process{p}
		if !strings.HasPrefix(env[0], "CHIT_EMBEDDED") {
			nodes = append(nodes, apptest.StartChit(t, slices.Concat(env, []string{"CHIT_THROTTLE_CLIENT=0"})))
		}
		first := apptest.Create(t, env, "billing-job").ClientSecret
		var mu sync.Mutex
		var tokens []string
		stop := make(chan struct{})
		var asking sync.WaitGroup
		for _, node := range nodes {
			asking.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if answer := node.Post("/token", "billing-job", first, tokenPlease); answer.Status == http.StatusOK {
						mu.Lock()
						tokens = append(tokens, answer.Text("access_token"))
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(300 * time.Millisecond)
		if got := apptest.Chit(t, env, "client", "delete", "billing-job", "--yes"); got.Status != 0 {
			t.Fatalf("%+v", got)
		}
		second := apptest.Create(t, env, "billing-job").ClientSecret
		time.Sleep(200 * time.Millisecond)
		close(stop)
		asking.Wait()
		if len(tokens) == 0 {
			t.Fatal("no token at all")
		}
		for _, node := range nodes {
			for _, token := range tokens {
				if answer := node.Post("/introspect", "billing-job", second, "token="+token); answer.JSON()["active"] != false {
					t.Fatalf("a token of the %d: %d %s", len(tokens), answer.Status, answer.Body)
				}
			}
			if node.Post("/introspect", "billing-job", second, "token="+node.Token("billing-job", second)).JSON()["active"] != true {
				t.Error("a new token is inactive")
			}
		}
	}, "CHIT_THROTTLE_CLIENT=0")
}

// The same by SQL, for tokens that are a minute older than the new row.
func TestTokensOfAFormerRegistrationStayInactive(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		secret := "s3cret"
		insert := func(created string) {
			s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, created_at) VALUES ('billing-job', 'HsHCa1DV08WNlYMYGvgHZlX+AHVr9yhZQLo2cPmfy6A=', '" + created + "')")
		}
		at := func(offset time.Duration) string {
			return time.Now().UTC().Add(offset).Format("2006-01-02 15:04:05+00:00")
		}
		insert(at(-time.Hour))
		token := s.Token("billing-job", secret)
		for offset, active := range map[time.Duration]bool{30 * time.Second: true, 90 * time.Second: false} {
			s.Exec("DELETE FROM oauth_client WHERE client_id = 'billing-job'")
			insert(at(offset))
			deadline := time.Now().Add(2 * time.Second)
			for s.Active("billing-job", secret, token) != active {
				if time.Now().After(deadline) {
					t.Fatalf("a row of %v later: active is not %s", offset, strconv.FormatBool(active))
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
}

// The server and every command accept the timestamp infinity.
func TestCommandsOnInfinity(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL}
	p := apptest.StartChit(t, env)
	secret := apptest.Create(t, env, "billing-job").ClientSecret
	token := p.Token("billing-job", secret)
	apptest.Psql(t, database, "UPDATE oauth_client SET tokens_revoked_before = 'infinity'")
	apptest.Eventually(t, apptest.Soon, "the token is inactive", func() bool {
		return p.Post("/introspect", "billing-job", secret, "token="+token).Body == `{"active":false}`
	})
	apptest.Chit(t, env, "client", "list").Says(t, "billing-job")
	apptest.Chit(t, env, "client", "show", "billing-job").Says(t, "infinity")
	apptest.Chit(t, env, "token", "revoke", "--all", "--yes").Says(t, "1 key was removed")
	apptest.Psql(t, database, "UPDATE oauth_client SET tokens_revoked_before = NULL, disabled_at = '-infinity'")
	apptest.Eventually(t, apptest.Soon, "the client is refused", func() bool {
		return p.Post("/token", "billing-job", secret, tokenPlease).Status == http.StatusUnauthorized
	})
	apptest.Chit(t, env, "client", "disable", "billing-job", "--yes").Says(t, "is disabled")
	apptest.Chit(t, env, "client", "enable", "billing-job").Says(t, "billing-job")
	if got := p.Post("/token", "billing-job", secret, tokenPlease); got.Status != http.StatusOK {
		t.Errorf("after it was enabled: %d %s", got.Status, got.Body)
	}
}
