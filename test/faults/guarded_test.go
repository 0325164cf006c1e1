//go:build faults

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"chit/app/apptest"
	"chit/guard"
	"chit/models"
	"chit/tokens"
)

// guarded are two nodes, and guards that hear one or the other.
type guarded struct {
	t           *testing.T
	databaseURL string
	proxy       *apptest.PostgreSQLProxy // between the database and the first node
	cutOff      atomic.Bool              // the proxy forwards nothing
	redis       *apptest.Redis
	client      *redis.Client
	store       *tokens.Store
	nodes       []*chit
	guards      []*guard.Guard

	checks, revocations, wrong, impossible atomic.Int64

	cancel  context.CancelFunc
	working sync.WaitGroup

	mu     sync.RWMutex // guards tokens
	tokens []*live

	issuing sync.Mutex // held while a token is issued, and while the tokens of a client are ended
}

const (
	guardedIssuer = "http://issuer.test"
	guardClients  = 8
	livingTokens  = 300
)

func isInactive(err error) bool { return errors.Is(err, guard.ErrInactive) }

// startGuarded starts everything, and the goroutines that issue, revoke and check.
func startGuarded(t *testing.T) *guarded {
	t.Helper()
	logging.Disable() // go-redis writes every refused connection to standard error
	r := &guarded{t: t, databaseURL: apptest.Database(t), redis: apptest.StartRedis(t)}
	r.client = r.redis.Client()
	r.store = &tokens.Store{Redis: r.client, Prefix: "chit", Now: time.Now}
	r.proxy = apptest.StartPostgreSQLProxy(t, r.databaseURL, func() apptest.PostgreSQLFault {
		if r.cutOff.Load() {
			return apptest.PostgreSQLFault{Cut: apptest.CutBefore}
		}
		return apptest.PostgreSQLFault{}
	})
	for _, database := range []string{r.proxy.URL, r.databaseURL} {
		r.nodes = append(r.nodes, startChit(t, database, r.redis.URL, "CHIT_ISSUER="+guardedIssuer))
	}
	sql := "INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + models.HashSecret("api") + "', true)"
	for i := range guardClients {
		sql += fmt.Sprintf(", ('c%d', '%s', false)", i, models.HashSecret("secret"))
	}
	apptest.Psql(t, r.databaseURL, sql)
	for i := range 4 {
		g, err := guard.New(guard.Config{
			Issuer: guardedIssuer, ClientID: "api", ClientSecret: "api", Log: slog.New(slog.DiscardHandler),
			Addresses: []string{r.nodes[i%2].URL, r.nodes[1-i%2].URL},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		r.guards = append(r.guards, g)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	t.Cleanup(r.stop)
	r.goOn(ctx, 5*time.Millisecond, r.issue)
	r.goOn(ctx, 20*time.Millisecond, func() { r.revokeOne(ctx) })
	r.goOn(ctx, 1500*time.Millisecond, func() { r.revokeClient(ctx) })
	for i := range r.guards {
		for range 2 {
			r.goOn(ctx, time.Millisecond, func() {
				for range 200 {
					r.check(i)
				}
			})
		}
	}
	return r
}

// goOn does work again and again.
func (r *guarded) goOn(ctx context.Context, pause time.Duration, work func()) {
	r.working.Go(func() {
		for ctx.Err() == nil {
			work()
			time.Sleep(pause)
		}
	})
}

func (r *guarded) stop() {
	r.cancel()
	r.working.Wait()
}

func (r *guarded) introspections() (total uint64) {
	for _, g := range r.guards {
		total += g.Stats().Introspections
	}
	return total
}

// issue adds a token, unless there are enough.
func (r *guarded) issue() {
	r.mu.RLock()
	enough := len(r.tokens) >= livingTokens
	r.mu.RUnlock()
	if enough {
		return
	}
	client := fmt.Sprintf("c%d", rand.IntN(guardClients))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.issuing.Lock()
	defer r.issuing.Unlock()
	token, issued, err := r.store.Issue(ctx, models.Grant{ClientID: client, TTL: time.Hour})
	if err != nil {
		return // a fault
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, &live{token: token, id: issued.ID, client: client, issued: issued.IssuedAt})
}

// those returns the tokens that the guards check and that meet the condition.
func (r *guarded) those(meet func(*live) bool) (found []*live) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, l := range r.tokens {
		if meet(l) {
			found = append(found, l)
		}
	}
	return found
}

// revokeOne revokes a token by one of the ways.
func (r *guarded) revokeOne(ctx context.Context) {
	l := r.pick()
	if l == nil || l.ending.Load() != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ways := []func() error{
		func() error { return r.client.Del(ctx, "oauth:token:"+l.id).Err() },
		func() error { return r.client.Unlink(ctx, "oauth:token:"+l.id).Err() },
		func() error { return r.post(ctx, r.nodes[0].URL, l) },
		func() error { return r.post(ctx, r.nodes[1].URL, l) },
	}
	r.end([]*live{l}, ways[rand.IntN(len(ways))])
}

// post revokes a token at a node.
func (r *guarded) post(ctx context.Context, nodeURL string, l *live) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, nodeURL+"/revoke", strings.NewReader(url.Values{"token": {l.token}}.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(l.client, "secret")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// clientEnds are the statements that end all tokens of a client, and those that let it have new ones.
var clientEnds = [][2]string{
	{"UPDATE oauth_client SET tokens_revoked_before = clock_timestamp() WHERE client_id = $1", ""},
	{"UPDATE oauth_client SET disabled_at = now(), tokens_revoked_before = clock_timestamp() WHERE client_id = $1", "UPDATE oauth_client SET disabled_at = NULL WHERE client_id = $1"},
}

// revokeClient ends all tokens of a client by SQL.
func (r *guarded) revokeClient(ctx context.Context) {
	client := fmt.Sprintf("c%d", rand.IntN(guardClients))
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.databaseURL)
	if err != nil {
		return // a fault
	}
	defer conn.Close(ctx)
	r.issuing.Lock()
	defer r.issuing.Unlock()
	all := r.those(func(l *live) bool { return l.client == client })
	way := clientEnds[rand.IntN(len(clientEnds))]
	r.end(all, func() error {
		_, err := conn.Exec(ctx, way[0], client)
		return err
	})
	if way[1] != "" {
		_, _ = conn.Exec(ctx, way[1], client) // if it fails, its tokens are refused
	}
}
