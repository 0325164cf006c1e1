package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The server is gone: what is kept goes on for a second, then nobody gets in. The guard heals by itself.
func TestServerGoneAndBack(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	f.refuses.Store(http.StatusServiceUnavailable)
	f.CloseClientConnections()
	gone := time.Now()
	f.expect(g, token, nil, 0)
	var last time.Time
	until(t, "the token is refused", func() bool {
		asked := time.Now()
		_, err := g.Check(t.Context(), token)
		if err == nil {
			last = asked
		} else if !is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		return err != nil
	})
	if kept := last.Sub(gone); kept < 500*time.Millisecond || kept > 1100*time.Millisecond {
		t.Errorf("the answer was used for %v", kept)
	}
	if err := g.Ready(t.Context()); !is(err, ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	f.refuses.Store(0)
	until(t, "the guard hears again", func() bool { return g.Stats().Hearing })
	f.expect(g, token, nil, 1) // what it kept before is void
	f.expect(g, token, nil, 0)
	until(t, "the log says that the stream is back", func() bool { return strings.Contains(f.log.String(), "says again") })
	if log := f.log.String(); strings.Contains(log, token) {
		t.Errorf("the log: %s", log)
	}
}

func TestServerAwayAtTheStart(t *testing.T) {
	f := newFake(t)
	f.refuses.Store(http.StatusBadGateway)
	g, err := New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	token := f.issue("alice")
	if _, err := g.Check(t.Context(), token); !is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	f.refuses.Store(0)
	until(t, "the guard hears", func() bool { return g.Stats().Hearing })
	f.expect(g, token, nil, 1)
	f.expect(g, token, nil, 0)
}

// A stream stays open, but no heartbeats arrive. The guard asks each time, and connects again.
func TestStreamThatHangs(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	f.silent.Store(true)
	until(t, "the guard does not trust the stream", func() bool { return !g.Stats().Hearing })
	f.expect(g, token, nil, 1)
	f.expect(g, token, nil, 1)
	until(t, "the guard connects again", func() bool { return f.opened.Load() == 2 })
}

// A proxy holds the stream back for seconds and then delivers old heartbeats.
func TestHeartbeatsThatAreHeldBack(t *testing.T) {
	f := newFake(t)
	f.silent.Store(true)
	g := f.guard()
	began := time.Now()
	heartbeat := func(late time.Duration) {
		f.send("heartbeat", fmt.Sprintf("{}\nid: %d", (time.Hour+time.Since(began)-late).Milliseconds()))
	}
	for range 6 {
		heartbeat(0)
		time.Sleep(200 * time.Millisecond)
	}
	if !g.Stats().Hearing {
		t.Fatal("timely heartbeats do not count")
	}
	for range 6 {
		heartbeat(1100 * time.Millisecond)
		time.Sleep(200 * time.Millisecond)
	}
	if g.Stats().Hearing {
		t.Error("late heartbeats count")
	}
	heartbeat(600 * time.Millisecond)
	if !g.Stats().Hearing {
		t.Error("a heartbeat that is a little late does not count")
	}
	time.Sleep(500 * time.Millisecond)
	if g.Stats().Hearing {
		t.Error("a heartbeat that is a little late counts for a whole second")
	}
}

func TestClientThatIsNoResourceServer(t *testing.T) {
	f := newFake(t)
	f.forbids.Store(true)
	g, err := New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	f.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"active":false}`) })
	_, err = g.Check(t.Context(), f.issue("alice"))
	if !is(err, ErrUnavailable) || !strings.Contains(err.Error(), "--resource-server") {
		t.Errorf("%v", err)
	}
	until(t, "the log says why, as an error", func() bool {
		log := f.log.String()
		return strings.Contains(log, "level=ERROR") && strings.Contains(log, "not registered as a resource server")
	})
	f.answers(nil)
	f.forbids.Store(false)
	until(t, "the guard hears", func() bool { return g.Stats().Hearing })
	f.expect(g, f.issue("alice"), nil, 1)
}

func TestSeveralAddresses(t *testing.T) {
	f := newFake(t)
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere.Close()
	second := httptest.NewServer(f.handler())
	defer second.Close()
	defer second.CloseClientConnections()
	g := f.guard(func(c *Config) { c.Addresses = []string{"http://" + nowhere.Addr().String(), second.URL, f.URL} })
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	if !strings.HasPrefix(g.nodes[g.preferred.Load()].found.Load().Introspection, second.URL) {
		t.Errorf("the endpoints are %+v", g.nodes[g.preferred.Load()].found.Load())
	}
	second.CloseClientConnections()
	second.Listener.Close()
	until(t, "the guard hears another node", func() bool { return f.opened.Load() == 2 && g.Stats().Hearing })
	time.Sleep(20 * time.Millisecond) // the event "ready" is on its way
	f.expect(g, token, nil, 1)
	f.expect(g, token, nil, 0)
}

// A client of the caller brings TLS roots and a timeout, which must not end the stream.
func TestOwnClient(t *testing.T) {
	f := newFake(t)
	secure := httptest.NewUnstartedServer(f.handler())
	secure.TLS = &tls.Config{}
	secure.StartTLS()
	defer secure.Close()
	defer secure.CloseClientConnections()
	f.URL = secure.URL
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	g := f.guard(func(c *Config) {
		c.Client = &http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	})
	time.Sleep(time.Second)
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	f.expect(g, token, nil, 0)
	if f.opened.Load() != 1 {
		t.Errorf("%d streams were opened", f.opened.Load())
	}
}

func TestWrongAnswers(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	for _, body := range []string{"", "{}", "null", "[]", `{"active":"true"}`, `{"active":true`, `{"active":null}`, "<html>", `{"active":true}` + strings.Repeat(" ", maxAnswer)} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		if _, err := g.Check(t.Context(), mint()); !is(err, ErrUnavailable) {
			t.Errorf("%.40q: %v", body, err)
		}
	}
	for _, status := range []int{201, 301, 400, 403, 404, 429, 500, 503} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", f.URL+"/introspect")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"active":true,"client_id":"alice"}`)
		})
		if _, err := g.Check(t.Context(), mint()); !is(err, ErrUnavailable) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// The guard does not use metadata of another issuer (RFC 8414 §3.3).
func TestOtherIssuer(t *testing.T) {
	f := newFake(t)
	config := f.config()
	config.Issuer, config.Addresses = "https://auth.example.com", []string{f.URL}
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.Check(t.Context(), f.issue("alice")); !is(err, ErrUnavailable) || !strings.Contains(err.Error(), "issuer") {
		t.Errorf("%v", err)
	}
}

func TestWrongSecret(t *testing.T) {
	f := newFake(t)
	g := f.guard(func(c *Config) { c.ClientSecret = "wrong" })
	if _, err := g.Check(t.Context(), mint()); !is(err, ErrUnavailable) || !strings.Contains(err.Error(), "credentials") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
}

func TestWrongSettings(t *testing.T) {
	_, err := New(Config{Issuer: "auth.example.com", Addresses: []string{"http://a/b"}, MaxTokens: -1, Realm: `"`})
	for _, word := range []string{"Issuer", "ClientID", "ClientSecret", "MaxTokens", "Realm", `"http://a/b"`} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is missing in %v", word, err)
		}
	}
}

func TestClosedGuard(t *testing.T) {
	f := newFake(t)
	g := f.guard()
	token := f.issue("alice")
	f.expect(g, token, nil, 1)
	if err := errors.Join(g.Close(), g.Close()); err != nil {
		t.Error(err)
	}
	f.expect(g, token, nil, 1) // nothing is kept any more
}
