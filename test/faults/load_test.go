//go:build faults

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"chit/models"
)

const (
	workers = 12
	pause   = 8 * time.Millisecond
	// hung is the time after which a user gives up.
	hung = 10 * time.Second
)

// The clients of the load, and one client that is changed meanwhile.
const (
	user, api, changing, secret = "user", "api", "changing", "s3cret"
)

var clientsSQL = fmt.Sprintf(`INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, is_resource_server)
	VALUES ('%[2]s', '%[1]s', 'read', false), ('%[3]s', '%[1]s', '', true), ('%[4]s', '%[1]s', 'read', false)`,
	models.HashSecret(secret), user, api, changing)

// load is a set of users who issue, introspect and revoke tokens, and remember the answers.
type load struct {
	memory  memory
	history history
	urls    []string
	client  *http.Client
	stop    func()

	mu      sync.Mutex
	ready   []string       // nodes, if there is a balancer
	answers map[string]int // number of answers by status or kind of failure
	longest time.Duration
	wrong   []string // answers that must never occur
	revived int      // tokens that were active after an acknowledged revocation
	lost    int      // tokens that were inactive without a revocation
}

func startLoad(t testing.TB, balanced bool, urls ...string) *load {
	l := &load{urls: urls, answers: map[string]int{}, history: history{began: time.Now()}}
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	l.client = &http.Client{Transport: transport, Timeout: hung}
	done := make(chan struct{})
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			for n := i; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(pause):
					l.once(n)
				}
			}
		})
	}
	if balanced {
		wait.Go(func() { l.balance(done) })
	}
	l.stop = sync.OnceFunc(func() {
		close(done)
		wait.Wait()
	})
	t.Cleanup(func() { l.stop(); transport.CloseIdleConnections() })
	return l
}

// once makes one request. Of five requests, two issue, two introspect and one revokes.
func (l *load) once(n int) {
	chosen, known := l.memory.any()
	switch {
	case chosen == nil || n%5 < 2:
		if body, ok := l.send("/token", user, "grant_type=client_credentials"); ok {
			l.memory.issued(member[string](body, "access_token"))
		}
	case n%5 < 4:
		l.introspect(chosen, known)
	case !known.revoked: // a revocation with an unknown result is tried again
		l.memory.mark(chosen, false)
		if _, ok := l.send("/revoke", user, "token="+known.text); ok {
			l.memory.mark(chosen, true)
		}
	}
}

func (l *load) introspect(chosen *token, before token) {
	body, ok := l.send("/introspect", api, "token="+before.text)
	if !ok {
		return
	}
	active := member[bool](body, "active")
	l.memory.mu.Lock()
	tried := chosen.tried
	l.memory.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if active && before.revoked {
		l.revived++
	}
	if !active && !tried {
		l.lost++
	}
}

// node returns the node that a load balancer would choose: one that was ready lately. If there is none, it
// chooses from all.
func (l *load) node() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) > 0 {
		return l.ready[rand.IntN(len(l.ready))]
	}
	return l.urls[rand.IntN(len(l.urls))]
}

// balance asks every node whether it is ready, until done is closed.
func (l *load) balance(done <-chan struct{}) {
	for {
		var ready []string
		for _, base := range l.urls {
			request, err := http.NewRequest(http.MethodGet, base+"/readyz", nil)
			if err != nil {
				panic(err)
			}
			if status, _, _, err := do(l.client, request); err == nil && status == http.StatusOK {
				ready = append(ready, base)
			}
		}
		l.mu.Lock()
		l.ready = ready
		l.mu.Unlock()
		select {
		case <-done:
			return
		case <-time.After(tenth):
		}
	}
}

// send makes a request, counts the result, and returns the body of a 200.
func (l *load) send(path, id, form string) (string, bool) { return l.sendTo(l.node(), path, id, form) }

func (l *load) sendTo(base, path, id, form string) (string, bool) {
	request, err := http.NewRequest(http.MethodPost, base+path, strings.NewReader(form))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(id), secret)
	began := time.Now()
	status, header, body, err := do(l.client, request)
	took := time.Since(began)
	l.history.add(err == nil && status == http.StatusOK)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, took)
	if err != nil {
		l.answers[kindOf(err)]++
		return "", false
	}
	l.answers[fmt.Sprint(status)]++
	if wrong := status != http.StatusOK && (status != http.StatusServiceUnavailable || header.Get("Retry-After") == ""); wrong && len(l.wrong) < 5 {
		l.wrong = append(l.wrong, fmt.Sprint(path, ": ", status, " ", body, " ", header))
	}
	return body, status == http.StatusOK
}

// verify asks for every token. It returns how many acknowledged tokens are lost, and how many revoked
// tokens are active. If the result of a revocation is unknown, its token may be either.
func (l *load) verify(t testing.TB) (lost, revived int) {
	t.Helper()
	queue := make(chan token)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		wait.Go(func() {
			for known := range queue {
				active := l.ask(t, known)
				mu.Lock()
				if !active && !known.tried {
					lost++
				}
				if active && known.revoked {
					revived++
				}
				mu.Unlock()
			}
		})
	}
	for _, known := range l.memory.all() {
		queue <- known
	}
	close(queue)
	wait.Wait()
	return lost, revived
}

func (l *load) ask(t testing.TB, known token) (active bool) {
	for range 100 {
		if body, ok := l.send("/introspect", api, "token="+known.text); ok {
			return member[bool](body, "active")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("no answer on a token after the fault")
	return false
}
