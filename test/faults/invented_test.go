//go:build faults

package faults_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// TestInventedFaults puts proxies in front of both stores. They cause random faults, while users under load
// remember their tokens. Each seed is one storm. CHIT_TEST_STORM sets how long seeds are tried, one after
// the other from CHIT_TEST_SEED on:
//
//	CHIT_TEST_STORM=1h CHIT_TEST_SEED=1 go test -tags faults ./test/faults -run TestInventedFaults -v -timeout 2h
func TestInventedFaults(t *testing.T) {
	seed, ends := firstSeed(t), time.Now().Add(durationFrom("CHIT_TEST_STORM", 20*time.Second))
	for ; time.Now().Before(ends) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			weather(t, seed)
			if t.Failed() {
				t.Logf("to try this seed again: CHIT_TEST_STORM=1s CHIT_TEST_SEED=%d go test -tags faults ./test/faults -run TestInventedFaults -v", seed)
			}
		})
	}
}

func firstSeed(t *testing.T) uint64 {
	text := os.Getenv("CHIT_TEST_SEED")
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("CHIT_TEST_SEED: %v", err)
	}
	return seed
}

const (
	calmTime  = 1300 * time.Millisecond // before the storm
	stormTime = 7 * time.Second
	// spareGoroutines is how many more goroutines a node may have after a storm, because connections come
	// and go.
	spareGoroutines = 60
)

// weather runs a load through the storm of one seed.
func weather(t *testing.T, seed uint64) {
	storm := newStorm(seed)
	redis := apptest.StartRedis(t, "--requirepass", "s3cret")
	s := &stack{t: t, database: apptest.Database(t), redis: redis}
	database := apptest.StartPostgreSQLProxy(t, s.database, storm.postgres)
	var env []string
	if seed%3 == 0 {
		env = append(env, "CHIT_REDIS_BATCHING=off")
	}
	if seed%4 == 0 {
		host, port, _ := strings.Cut(redis.Addr, ":")
		replica := apptest.StartRedis(t, "--replicaof", host, port, "--masterauth", "s3cret")
		env = append(env, "CHIT_REDIS_WAIT_REPLICAS=1", "CHIT_REDIS_WAIT_ON_ISSUE=on")
		// The primary calls a replica online before it has received anything.
		eventually(t, 20*time.Second, "the replica is in sync", func() bool {
			return strings.Contains(replica.CLI("INFO", "replication"), "master_link_status:up")
		})
	}
	s.serve(2, database.URL, apptest.StartRedisProxy(t, redis.URL, storm.redis).URL, env...)

	urls := []string{s.nodes[0].URL, s.nodes[1].URL}
	doomed := s.tokensOf(changing, 20)
	l := startLoad(t, false, urls...)
	before := time.Now().Add(300 * time.Millisecond)
	time.Sleep(calmTime)
	broken := time.Now()
	usual, goroutines := l.history.rate(before, broken), s.goroutines()
	storm.rage(true)
	time.Sleep(stormTime / 2)
	apptest.Psql(t, s.database, "UPDATE oauth_client SET tokens_revoked_before = now() WHERE client_id = '"+changing+"'")
	time.Sleep(stormTime / 2)
	storm.rage(false)
	mended := time.Now()
	var back time.Duration
	eventually(t, backWithin+20*time.Second, "full speed", func() (ok bool) {
		back, ok = l.history.fullSpeed(mended, usual)
		return ok
	})
	l.stop()
	r := l.result(fmt.Sprint("seed ", seed, " ", env), mended.Sub(broken), back)
	lost, revived := l.verify(t)
	r.lost, r.revived = max(r.lost, lost), max(r.revived, revived)
	t.Log(r)
	fault{may: []string{"503"}}.check(t, r, l)
	s.checkAfterStorm(l, doomed, goroutines)
}

// loggedPanic matches a line with a panic. A request id may have the same letters among others.
var loggedPanic = regexp.MustCompile(`(?m)^.*\bpanic(ked|king)?\b.*$`)

// checkAfterStorm checks what must be true on every node when the stores answer again.
func (s *stack) checkAfterStorm(l *load, doomed []string, goroutines []int) {
	s.t.Helper()
	eventually(s.t, time.Second, "what SQL has revoked in the storm is inactive on every node", func() bool {
		for _, node := range s.nodes {
			for _, token := range doomed {
				if body, ok := l.sendTo(node.URL, "/introspect", api, "token="+token); !ok || member[bool](body, "active") {
					return false
				}
			}
		}
		return true
	})
	s.change(s.database)
	for i, node := range s.nodes {
		if found := loggedPanic.FindAllString(node.log.String(), -1); len(found) > 0 {
			s.t.Errorf("node %d: the log has %d lines with a panic, first %s", i, len(found), found[0])
		}
		eventually(s.t, time.Second, "the node is ready", node.ready)
		eventually(s.t, 10*time.Second, "no goroutine is left behind", func() bool { return s.goroutines()[i] <= goroutines[i]+spareGoroutines })
	}
}

// tokensOf returns tokens of a client.
func (s *stack) tokensOf(client string, n int) (tokens []string) {
	s.t.Helper()
	for range n {
		request, err := http.NewRequest(http.MethodPost, s.nodes[0].URL+"/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			s.t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(client, secret)
		status, _, body, err := do(http.DefaultClient, request)
		if err != nil || status != http.StatusOK {
			s.t.Fatalf("no token: %d %s, %v", status, body, err)
		}
		tokens = append(tokens, member[string](body, "access_token"))
	}
	return tokens
}

// goroutines returns the number of goroutines of each node.
func (s *stack) goroutines() (counts []int) {
	s.t.Helper()
	for _, node := range s.nodes {
		request, err := http.NewRequest(http.MethodGet, node.opsURL()+"/metrics", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _, body, err := do(http.DefaultClient, request)
		if err != nil {
			s.t.Fatal(err)
		}
		_, rest, _ := strings.Cut(body, "\ngo_goroutines ")
		number, _, _ := strings.Cut(rest, "\n")
		count, err := strconv.Atoi(number)
		if err != nil {
			s.t.Fatalf("go_goroutines: %v", err)
		}
		counts = append(counts, count)
	}
	return counts
}
