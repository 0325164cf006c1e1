package tokens_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// A revocation is acknowledged only when the replicas have it. This also holds if another node has already
// deleted the token, and with Redis 7.2, whose WAIT returns at once on a connection that has written
// nothing.
func TestRevocationIsOnReplicasAlsoWhereNothingIsLeft(t *testing.T) {
	for name, wait := range map[string]func(*apptest.Exchange){
		"as this Redis waits":         apptest.Pass,
		"as Redis 7.2 and later wait": apptest.WaitLikeRedis72(1),
	} {
		t.Run(name, func(t *testing.T) {
			primary := apptest.StartRedis(t, "--repl-diskless-sync-delay", "0")
			host, port, _ := net.SplitHostPort(primary.Addr)
			replica := apptest.StartRedis(t, "--replicaof", host, port)
			url := apptest.StartRedisProxy(t, primary.URL, wait).URL
			one, two := storeAt(t, url), storeAt(t, url)
			one.Replicas.Count, two.Replicas.Count = 1, 1
			token, issued := mustIssue(t, one)
			for deadline := time.Now().Add(10 * time.Second); one.Settle(t.Context()) != nil; {
				if time.Now().After(deadline) {
					t.Fatal("the replica does not follow")
				}
			}
			replica.CLI("CONFIG", "SET", "masterauth", "wrong")
			primary.CLI("CLIENT", "KILL", "TYPE", "replica")
			if err := one.Revoke(t.Context(), issued); !errors.Is(err, models.ErrUnavailable) {
				t.Errorf("the first revocation: %v", err)
			}
			if err := two.Settle(t.Context()); !errors.Is(err, models.ErrUnavailable) {
				t.Errorf("the second, of a token that is gone: %v", err)
			}
			if err := two.Revoke(t.Context(), issued); !errors.Is(err, models.ErrUnavailable) {
				t.Errorf("the second, of a token that has just been found: %v", err)
			}
			if kept := replica.CLI("EXISTS", "oauth:token:"+tokens.ID(token)); kept != "1" {
				t.Errorf("on the replica: %s", kept)
			}
			replica.CLI("CONFIG", "SET", "masterauth", "")
			eventually(t, "the revocation is acknowledged", func() bool { return two.Revoke(t.Context(), issued) == nil })
			if kept := replica.CLI("EXISTS", "oauth:token:"+tokens.ID(token)); kept != "0" {
				t.Errorf("on the replica after the acknowledgement: %s", kept)
			}
		})
	}
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !check(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 15 seconds: %s", what)
		}
	}
}
