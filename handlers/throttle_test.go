package handlers_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

const tokenPlease = "grant_type=client_credentials"

// from sends a token request as a proxy on this machine would, for the given address.
func from(t *testing.T, s *apptest.Server, address, client, secret string) apptest.Answer {
	t.Helper()
	r := request(t, s.URL+"/token", tokenPlease)
	r.SetBasicAuth(client, secret)
	r.Header.Set("X-Forwarded-For", address)
	return s.Do(r)
}

// guess sends wrong secrets and returns the different statuses.
func guess(t *testing.T, s *apptest.Server, times int, address, client string) string {
	t.Helper()
	var seen []string
	for i := range times {
		status := strconv.Itoa(from(t, s, address, client, fmt.Sprint("guess", i)).Status)
		if len(seen) == 0 || seen[len(seen)-1] != status {
			seen = append(seen, status)
		}
	}
	return strings.Join(seen, " ")
}

var behindProxy = []string{"--throttle-client=4", "--throttle-address=9", "--trusted-proxies=127.0.0.1,10.0.0.0/8"}

func TestGuessing(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		if got := guess(t, s, 4, "192.0.2.1", "alice"); got != "401" {
			t.Fatalf("within the limit: %s", got)
		}
		for name, answer := range map[string]apptest.Answer{
			"a wrong secret": from(t, s, "192.0.2.1", "alice", "wrong"),
			"the right one":  from(t, s, "192.0.2.1", "alice", secret),
		} {
			wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
			if answer.Status != 429 || answer.Text("error") != "temporarily_unavailable" || answer.Text("error_description") == "" || err != nil || wait < 1 || wait > 60 {
				t.Errorf("%s: %d %s, Retry-After %s", name, answer.Status, answer.Body, answer.Header.Get("Retry-After"))
			}
			checkCommonHeaders(t, answer)
		}
		for name, answer := range map[string]apptest.Answer{
			"the client at its own address":         from(t, s, "198.51.100.7", "alice", secret),
			"another client at the address":         from(t, s, "192.0.2.1", "bob", secret),
			"the client directly at the proxy host": s.Post("/token", "alice", secret, tokenPlease),
		} {
			if answer.Status != 200 {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
		if got := guess(t, s, 5, "192.0.2.1", "nobody"); got != "401 429" {
			t.Errorf("an unknown client is throttled otherwise: %s", got)
		}
		checkThrottlingIsSeen(t, s)
	}, behindProxy...)
}

func checkThrottlingIsSeen(t *testing.T, s *apptest.Server) {
	t.Helper()
	events := 0
	for _, line := range lines(t, s) {
		if line["event"] == "authentication_throttled" {
			events++
			if line["status"] != 429. || line["remote"] != "192.0.2.1" || line["cause"] != "too many failed authentications from 192.0.2.1" {
				t.Errorf("logged: %v", line)
			}
		}
	}
	response, err := http.Get(s.OpsURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	_ = response.Write(&body)
	if want := fmt.Sprintf("chit_events_total{event=\"authentication_throttled\"} %d\n", events); events != 3 || !strings.Contains(body.String(), want) {
		t.Errorf("%d events in the log; the metrics lack %s", events, want)
	}
}

// All endpoints share one count.
func TestGuessingAtEveryEndpoint(t *testing.T) {
	s := register(apptest.Embedded(t, "--throttle-client=3"))
	for _, path := range []string{"/token", "/oauth2/introspect", "/revoke"} {
		if answer := s.Post(path, "alice", "wrong", tokenPlease+"&token=x"); answer.Status != 401 {
			t.Errorf("%s: %d", path, answer.Status)
		}
	}
	for _, path := range []string{"/oauth2/token", "/introspect", "/oauth2/revoke"} {
		if answer := s.Post(path, "alice", secret, tokenPlease+"&token=x"); answer.Status != 429 {
			t.Errorf("%s: %d", path, answer.Status)
		}
	}
}

func TestGuessingOverManyClients(t *testing.T) {
	s := register(apptest.Embedded(t, behindProxy...))
	for i := range 9 {
		if got := guess(t, s, 1, "192.0.2.1", fmt.Sprint("client", i)); got != "401" {
			t.Fatalf("guess %d: %s", i, got)
		}
	}
	for address, want := range map[string]int{"192.0.2.1": 429, "192.0.2.2": 200} {
		if answer := from(t, s, address, "alice", secret); answer.Status != want {
			t.Errorf("%s: %d", address, answer.Status)
		}
	}
}

// Two nodes share one count, and a block is in force on both at once.
func TestGuessingOnTwoNodes(t *testing.T) {
	one := register(apptest.Real(t, behindProxy...))
	two := one.Another(behindProxy...)
	if got := guess(t, one, 2, "192.0.2.1", "alice") + guess(t, two, 2, "192.0.2.1", "alice"); got != "401401" {
		t.Fatalf("within the limit: %s", got)
	}
	for _, node := range []*apptest.Server{one, two} {
		if got := guess(t, node, 2, "192.0.2.1", "alice"); got != "429" {
			t.Errorf("over the limit: %s", got)
		}
		if answer := from(t, node, "192.0.2.1", "alice", secret); answer.Status != 429 {
			t.Errorf("the right secret: %d", answer.Status)
		}
		if answer := from(t, node, "198.51.100.7", "alice", secret); answer.Status != 200 {
			t.Errorf("at the client's own address: %d", answer.Status)
		}
	}
	one.RedisCLI("PEXPIRE", one.RedisCLI("--scan", "--pattern", "oauth:throttle:*:*"), "100")
	for _, node := range []*apptest.Server{one, two} {
		if !within(1200*time.Millisecond, func() bool { return from(t, node, "192.0.2.1", "alice", secret).Status == 200 }) {
			t.Error("the window has passed and the client is still blocked")
		}
	}
}

func TestGuessingWithoutRedis(t *testing.T) {
	s := register(apptest.Real(t, append(behindProxy, "--request-timeout=500ms")...))
	s.Token("alice", secret)
	s.Redis.Stop()
	if got := guess(t, s, 6, "192.0.2.1", "alice"); got != "401 429" {
		t.Errorf("Redis stopped: %s", got)
	}
	r := request(t, s.URL+"/introspect", "token=garbage")
	r.SetBasicAuth("alice", secret)
	if answer := s.Do(r); answer.Body != inactive {
		t.Errorf("the right secret from elsewhere: %d %s", answer.Status, answer.Body)
	}
}

// A successful authentication sends no command to Redis, even while others are blocked. A malformed token
// needs no command either.
func TestSuccessCostsNoCommand(t *testing.T) {
	s := register(apptest.Real(t, behindProxy...))
	guess(t, s, 6, "192.0.2.1", "alice")
	commands := func() int {
		_, rest, _ := strings.Cut(s.RedisCLI("INFO", "stats"), "total_commands_processed:")
		number, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	commands()
	idle := -commands() + commands()
	before := commands()
	for range 100 {
		if answer := s.Post("/introspect", "alice", secret, "token=garbage"); answer.Body != inactive {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
	}
	if sent := commands() - before - idle; sent != 0 {
		t.Errorf("100 authentications made %d commands", sent)
	}
}

// Requests without credentials guess nothing, so they do not count.
func TestNoCredentialsAreNoGuess(t *testing.T) {
	s := register(apptest.Embedded(t, "--throttle-client=3", "--throttle-address=3"))
	for range 6 {
		if answer := s.Post("/token", "", "", tokenPlease); answer.Status != 401 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
	}
	s.Token("alice", secret)
}

// Metadata and health need no authentication, so they are never throttled.
func TestBlockedAddressSeesHealth(t *testing.T) {
	s := register(apptest.Embedded(t, "--throttle-address=1"))
	s.Post("/token", "alice", "wrong", tokenPlease)
	for _, path := range []string{"/healthz", "/readyz", "/.well-known/oauth-authorization-server"} {
		if answer := s.Get(path); answer.Status != 200 {
			t.Errorf("%s: %d", path, answer.Status)
		}
	}
}
