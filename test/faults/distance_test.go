//go:build faults

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// One statement changes thousands of clients while the database is far away. All of them are still served.
func TestChangeToThousandsOfClientsFarAway(t *testing.T) {
	const clients, distance = 3000, 10 * time.Millisecond // each way, for both queries of a lookup
	s := nodes(0)(t)
	far := apptest.StartPostgreSQLProxy(t, s.database, func() apptest.PostgreSQLFault { return apptest.PostgreSQLFault{Delay: distance} })
	s.serve(1, far.URL, s.redis.URL)
	apptest.Psql(t, s.database, fmt.Sprintf("INSERT INTO oauth_client (client_id, client_secret_hash) SELECT 'c' || i, '%s' FROM generate_series(1, %d) AS i", models.HashSecret(secret), clients))
	ask := func(lasting time.Duration) map[int]int { // 0: each client once
		var mu sync.Mutex
		statuses := map[int]int{}
		var wait sync.WaitGroup
		for worker := range 32 {
			wait.Go(func() {
				for i, began := worker, time.Now(); lasting == 0 && i < clients || time.Since(began) < lasting; i += 32 {
					id := i
					if lasting > 0 {
						id = rand.IntN(clients)
					}
					status := attempt(t, s.nodes[0], fmt.Sprint("c", 1+id), secret)
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		return statuses
	}
	ask(0) // now every client is known
	apptest.Psql(t, s.database, "UPDATE oauth_client SET client_name = 'changed'")
	statuses := ask(3 * time.Second)
	t.Log(statuses)
	if statuses[http.StatusOK] < clients || len(statuses) != 1 {
		t.Errorf("answers after the change: %v", statuses)
	}
}
