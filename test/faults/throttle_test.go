//go:build faults

package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"chit/app/apptest"
	"chit/models"
)

// Guesses that arrive at three nodes at the same time are counted together. Only as many are answered as
// the limit allows. Then every node refuses the right secret, too, until an operator deletes the count.
func TestThrottlingAcrossThreeNodes(t *testing.T) {
	const limit = 20
	s := nodes(0)(t)
	s.serve(3, s.database, s.redis.URL, fmt.Sprint("CHIT_THROTTLE_CLIENT=", limit))
	var mu sync.Mutex
	statuses := map[int]int{}
	var wait sync.WaitGroup
	for i := range 300 {
		wait.Go(func() {
			status := attempt(t, s.nodes[i%3], user, fmt.Sprint("guess", i))
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	wait.Wait()
	t.Log(statuses)
	if statuses[401] > limit || statuses[401]+statuses[429] != 300 {
		t.Errorf("answers to 300 guesses with a limit of %d: %v", limit, statuses)
	}
	for i, node := range s.nodes {
		if status := attempt(t, node, user, secret); status != http.StatusTooManyRequests {
			t.Errorf("node %d: the right secret: %d", i, status)
		}
		if status := attempt(t, node, api, secret); status == http.StatusTooManyRequests {
			t.Errorf("node %d: another client: %d", i, status)
		}
	}
	for _, key := range strings.Fields(s.redis.CLI("--scan", "--pattern", "oauth:throttle:*")) {
		s.redis.CLI("DEL", key)
	}
	for i, node := range s.nodes {
		eventually(t, backWithin, fmt.Sprint("node ", i, " lets the client in again"), func() bool { return attempt(t, node, user, secret) == http.StatusOK })
	}
}

// attempt asks a node for a token and returns the status.
func attempt(t testing.TB, node *chit, id, secret string) int {
	request, err := http.NewRequest(http.MethodPost, node.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(id, secret)
	status, _, _, err := do(http.DefaultClient, request)
	if err != nil {
		t.Error(err)
	}
	return status
}

// The nodes receive no notifications, and one row cannot be read. A disabled client must not go on working.
func TestDisabledClientWithADeafNodeAndAnUnreadableRow(t *testing.T) {
	s := database(t)
	for _, node := range s.nodes {
		if status := attempt(t, node, user, secret); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	// The triggers are gone, and one client has a value that the server cannot read.
	apptest.Psql(t, s.database, `ALTER TABLE oauth_client DISABLE TRIGGER USER;
		ALTER TABLE oauth_client ALTER COLUMN token_ttl_seconds TYPE numeric;
		INSERT INTO oauth_client (client_id, client_secret_hash, token_ttl_seconds) VALUES ('unreadable', '`+models.HashSecret(secret)+`', 'NaN')`)
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = attempt(t, s.nodes[0], "unreadable", secret) // 503
			}
		}
	})
	apptest.Psql(t, s.database, "UPDATE oauth_client SET disabled_at = now() WHERE client_id = '"+user+"'")
	eventually(t, backWithin, "the disabled client is refused", func() bool { return attempt(t, s.nodes[0], user, secret) == http.StatusUnauthorized })
	close(done)
	wait.Wait()
}
