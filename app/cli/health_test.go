package cli_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// health runs chit health for the server at this address.
func health(t *testing.T, listen string, args ...string) apptest.Result {
	t.Helper()
	return apptest.Chit(t, []string{"CHIT_LISTEN=" + listen}, append([]string{"health"}, args...)...)
}

func TestHealthFollowsTheServer(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, nil, "--shutdown-delay=1m")
	address := strings.TrimPrefix(p.URL, "http://")
	health(t, address).Succeeds(t, address+" is ready")
	apptest.Chit(t, nil, "health", "--listen", address).Succeeds(t, address+" is ready")

	p.Signal(syscall.SIGTERM)
	apptest.Eventually(t, 5*time.Second, "it stops", func() bool { return apptest.Get(t, p.URL+"/readyz").Status != http.StatusOK })
	health(t, address).Fails(t, address+" is not ready: stopping")

	p.Signal(syscall.SIGTERM)
	p.Ended(5 * time.Second)
	health(t, address).Fails(t, address+" is not ready: nothing listens there")
}

func TestHealthSaysWhatIsOutOfReach(t *testing.T) {
	t.Parallel()
	s := apptest.Real(t)
	s.Redis.Stop()
	address := strings.TrimPrefix(s.URL, "http://")
	health(t, address, "--timeout=10s").Fails(t, address+" is not ready: redis out of reach")
}

// An address without a host, or with one that means every address, is on this machine.
func TestHealthTakesEveryAddressThatTheServerListensOn(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, nil)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"", "0.0.0.0", "[::]", "localhost", "127.0.0.1"} {
		health(t, host+":"+port).Succeeds(t, host+":"+port+" is ready")
	}
}

// An empty variable counts as not set, as Compose files make them. The test does not know whether something
// listens on the default address.
func TestHealthAsksTheDefaultAddress(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"CHIT_LISTEN="}} {
		if got := apptest.Chit(t, env, "health", "--timeout=1s"); !strings.Contains(got.Stdout+got.Stderr, "127.0.0.1:8080 is ") {
			t.Errorf("with %q: %+v", env, got)
		}
	}
}

func TestHealthRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"8080", "localhost", "http://localhost:8080"} {
		health(t, listen).IsMisused(t, `CHIT_LISTEN: "`+listen+`" is not an address: write 127.0.0.1:8080 or :8080`)
	}
	health(t, ":8080", "--timeout=2").IsMisused(t, `CHIT_HEALTH_TIMEOUT: "2" is not a duration: write 90s, 15m or 1h`)
	health(t, ":8080", "--timeout=0s").IsMisused(t, `CHIT_HEALTH_TIMEOUT: 0s is too short: the least is 1ms`)
}

func TestHealthDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	address := silent.Addr().String()
	health(t, address, "--timeout=100ms").Fails(t, address+" is not ready: no answer within 100ms")
}

// A degraded server is healthy: it must not be restarted.
func TestHealthWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	postgres := apptest.StartPostgreSQL(t)
	s := apptest.On(t, postgres.URL, apptest.StartRedis(t))
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('billing-job', '" + models.HashSecret("secret") + "')")
	s.Token("billing-job", "secret")
	postgres.Stop()
	address := strings.TrimPrefix(s.URL, "http://")
	health(t, address, "--timeout=10s").Succeeds(t, address+" is ready, but degraded: database out of reach")
}

// Another server on the port is reported as not ready.
func TestHealthOfAnotherServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{http.StatusOK, "hello", "it answers 200, and not as Chit does: is it another server?"},
		{http.StatusOK, `{"status":"ok"}`, "it answers 200, and not as Chit does: is it another server?"},
		{http.StatusNotFound, "", "it answers 404, and not as Chit does: is it another server?"},
		{http.StatusServiceUnavailable, "{}", "it answers 503, and not as Chit does: is it another server?"},
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = w.Write([]byte(test.body))
		}))
		address := strings.TrimPrefix(other.URL, "http://")
		health(t, address).Fails(t, address+" is not ready: "+test.want)
		other.Close()
	}
}

func TestHealthHelp(t *testing.T) {
	t.Parallel()
	help := apptest.Chit(t, nil, "health", "--help").Stdout
	for _, want := range []string{"--listen=ADDRESS", "($CHIT_LISTEN)", "--timeout=DURATION", "($CHIT_HEALTH_TIMEOUT)", "Example:"} {
		if !strings.Contains(help, want) {
			t.Errorf("it does not say %s:\n%s", want, help)
		}
	}
}
