package tokens_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis writes every refused connection to standard error
	apptest.Run(m)
}

// stores are the kinds of Redis that the conformance suite runs on. pass advances their clocks.
var stores = map[string]func(*testing.T) (redisURL string, pass func(time.Duration)){
	"miniredis": func(t *testing.T) (string, func(time.Duration)) {
		server := miniredis.RunT(t)
		return "redis://" + server.Addr(), server.FastForward
	},
	"redis": func(t *testing.T) (string, func(time.Duration)) {
		return apptest.StartRedis(t).URL, time.Sleep
	},
	"redis with a password and a database": func(t *testing.T) (string, func(time.Duration)) {
		return apptest.StartRedis(t, "--requirepass", "p@ss/word").URL + "/3", time.Sleep
	},
	"sentinel": func(t *testing.T) (string, func(time.Duration)) {
		return apptest.StartRedisSentinel(t).URL, time.Sleep
	},
	"cluster": func(t *testing.T) (string, func(time.Duration)) {
		return apptest.StartRedisCluster(t).URL, time.Sleep
	},
}

func TestStore(t *testing.T) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			redisURL, pass := start(t)
			client, err := tokens.Connect(redisURL)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			s := suite{&tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}, client, pass}
			t.Run("issue and find", s.issueAndFind)
			t.Run("revoke", s.revoke)
			t.Run("not found", s.notFound)
			t.Run("expiry", s.expiry)
			t.Run("once", s.once)
			t.Run("index outlives a lowered lifetime", s.loweredLifetime)
			t.Run("index is trimmed", s.trimmed)
			t.Run("cancelled", s.cancelled)
		})
	}
}

type suite struct {
	*tokens.Store
	client redis.UniversalClient
	pass   func(time.Duration)
}

func (s suite) issue(t *testing.T, client string, ttl time.Duration) (string, models.AccessToken) {
	t.Helper()
	token, issued, err := s.Issue(t.Context(), models.Grant{ClientID: client, Scope: "read write", TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return token, issued
}

func (s suite) index(t *testing.T, client string) []string {
	t.Helper()
	ids, err := s.client.ZRange(t.Context(), "oauth:client:"+client+":tokens", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (s suite) issueAndFind(t *testing.T) {
	before := time.Now().Truncate(time.Microsecond)
	token, issued := s.issue(t, "finder", time.Hour)
	found, err := s.Find(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if !found.IssuedAt.Equal(issued.IssuedAt) || !found.ExpiresAt.Equal(issued.ExpiresAt) ||
		found.ID != issued.ID || found.ClientID != "finder" || found.Scope != "read write" {
		t.Errorf("issued %v, found %v", issued, found)
	}
	if found.ID != tokens.ID(token) || found.IssuedAt.Before(before) || found.ExpiresAt.Sub(found.IssuedAt) != time.Hour {
		t.Errorf("found %v", found)
	}
	if ids := s.index(t, "finder"); len(ids) != 1 || ids[0] != issued.ID {
		t.Errorf("index %q", ids)
	}
}

func (s suite) revoke(t *testing.T) {
	token, issued := s.issue(t, "revoker", time.Hour)
	kept, _ := s.issue(t, "revoker", time.Hour)
	for range 2 { // the second time it is already gone
		if err := s.Revoke(t.Context(), issued); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Find(t.Context(), token); !errors.Is(err, models.ErrTokenNotFound) {
		t.Errorf("the revoked one: %v", err)
	}
	if _, err := s.Find(t.Context(), kept); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if ids := s.index(t, "revoker"); len(ids) != 1 || ids[0] != tokens.ID(kept) {
		t.Errorf("index %q", ids)
	}
}

func (s suite) notFound(t *testing.T) {
	for _, token := range []string{"", "garbage", tokens.Mint("chit"), "chit_" + strings.Repeat("A", 59)} {
		if _, err := s.Find(t.Context(), token); !errors.Is(err, models.ErrTokenNotFound) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func (s suite) expiry(t *testing.T) {
	token, issued := s.issue(t, "passing", time.Second)
	s.pass(1100 * time.Millisecond)
	if _, err := s.Find(t.Context(), token); !errors.Is(err, models.ErrTokenNotFound) {
		t.Errorf("the token: %v", err)
	}
	for _, key := range []string{"oauth:token:" + issued.ID, "oauth:client:passing:tokens"} {
		if count, err := s.client.Exists(t.Context(), key).Result(); err != nil || count != 0 {
			t.Errorf("%s: exists %d, %v", key, count, err)
		}
	}
}

// The index expires with its last token, even if a later token has a shorter lifetime.
func (s suite) loweredLifetime(t *testing.T) {
	_, long := s.issue(t, "lowered", time.Hour)
	s.issue(t, "lowered", time.Second)
	ttl, err := s.client.TTL(t.Context(), "oauth:client:lowered:tokens").Result()
	if err != nil || ttl < 59*time.Minute {
		t.Errorf("the index lives %v, %v", ttl, err)
	}
	s.pass(1100 * time.Millisecond)
	if ids := s.index(t, "lowered"); len(ids) == 0 || !slices.Contains(ids, long.ID) {
		t.Errorf("index %q", ids)
	}
	s.issue(t, "lowered", 2*time.Hour)
	if ttl, err := s.client.TTL(t.Context(), "oauth:client:lowered:tokens").Result(); err != nil || ttl < 119*time.Minute {
		t.Errorf("after a longer one it lives %v, %v", ttl, err)
	}
}

// Ids of expired tokens are removed from the index while it is in use.
func (s suite) trimmed(t *testing.T) {
	past := tokens.Store{Redis: s.client, Prefix: "chit", Now: func() time.Time { return time.Now().Add(-2 * time.Hour) }}
	for range 10 {
		if _, _, err := past.Issue(t.Context(), models.Grant{ClientID: "trimmed", TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	_, live := s.issue(t, "trimmed", time.Hour)
	if ids := s.index(t, "trimmed"); len(ids) != 1 || ids[0] != live.ID {
		t.Errorf("index %q", ids)
	}
}

func (s suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Issue(ctx, models.Grant{ClientID: "cancelled", TTL: time.Hour}); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("issue: %v", err)
	}
	if _, err := s.Find(ctx, tokens.Mint("chit")); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("find: %v", err)
	}
	if err := s.Revoke(ctx, models.AccessToken{ID: "x", ClientID: "cancelled"}); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("revoke: %v", err)
	}
}

func TestOutageIsNotAnAnswer(t *testing.T) {
	server := apptest.StartRedis(t)
	client, err := tokens.Connect(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := suite{&tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}, client, nil}
	token, issued := s.issue(t, "c", time.Hour)
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, issueErr := s.Issue(ctx, models.Grant{ClientID: "c", TTL: time.Hour})
	_, findErr := s.Find(ctx, token)
	for name, err := range map[string]error{"issue": issueErr, "find": findErr, "revoke": s.Revoke(ctx, issued), "ping": s.Ping(ctx)} {
		if !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrTokenNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConnectRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "localhost:6379", "http://:sekret@localhost", "redis://:sekret@localhost:port", "redis://:sekret@localhost/zero",
		"redis://:sekret@localhost?master_name=m&addr=sekret", "redis://:sekret@localhost?addr=x", "redis://:sekret@localhost?no_such_option=1",
		"redis://:sekret@local host", "redis://:sekret@localhost?dial_timeout=soon", "unix:///sekret",
	} {
		client, err := tokens.Connect(bad)
		if err == nil {
			client.Close()
			t.Errorf("%q is taken", bad)
		} else if strings.Contains(err.Error(), ":sekret") {
			t.Errorf("%q: the error repeats the password: %v", bad, err)
		}
	}
}

func TestConnectByForm(t *testing.T) {
	for form, want := range map[string]any{
		"redis://localhost":  &redis.Client{},
		"rediss://localhost": &redis.Client{},
		"redis://localhost:26379?addr=other:26379&master_name=m": &redis.Client{},
		"redis://localhost:7000?addr=localhost:7001":             &redis.ClusterClient{},
	} {
		client, err := tokens.Connect(form)
		if err != nil {
			t.Fatal(form, err)
		}
		client.Close()
		if _, cluster := want.(*redis.ClusterClient); cluster != isCluster(client) {
			t.Errorf("%s is a %T, want a %T", form, client, want)
		}
		if parsed, _ := url.Parse(form); parsed.Scheme == "rediss" && client.(*redis.Client).Options().TLSConfig == nil {
			t.Errorf("%s is without TLS", form)
		}
	}
}

func isCluster(client redis.UniversalClient) bool {
	_, cluster := client.(*redis.ClusterClient)
	return cluster
}
