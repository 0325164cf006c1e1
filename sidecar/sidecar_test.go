package sidecar_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/guard"
	"chit/models"
	"chit/sidecar"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// car is a sidecar with its authorization server.
type car struct {
	*httptest.Server
	*sidecar.Sidecar
	t      *testing.T
	server *apptest.Server
	log    *strings.Builder
}

// start starts a sidecar in front of the handler, or without an upstream if it is nil.
func start(t *testing.T, upstream http.HandlerFunc) *car {
	t.Helper()
	return startWith(t, upstream, func(*guard.Config) {})
}

// startWith is start with other settings.
func startWith(t *testing.T, upstream http.HandlerFunc, change func(*guard.Config)) *car {
	t.Helper()
	address := apptest.FreeAddress(t)
	c := &car{t: t, server: apptest.Embedded(t, "--listen="+address, "--issuer=http://"+address, "--trusted-proxies=127.0.0.1"), log: &strings.Builder{}}
	options := sidecar.Options{
		Guard:  guard.Config{Issuer: "http://" + address, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"},
		Scopes: "openid",
		Log:    slog.New(slog.NewJSONHandler(c.log, nil)),
	}
	change(&options.Guard)
	if upstream != nil {
		service := httptest.NewServer(upstream)
		t.Cleanup(service.Close)
		options.Upstream, _ = url.Parse(service.URL + "/base") // it is a URL
	}
	s, err := sidecar.New(options)
	if err != nil {
		t.Fatal(err)
	}
	c.Sidecar, c.Server = s, httptest.NewServer(s)
	t.Cleanup(func() {
		c.Server.Close()
		s.Close()
	})
	return c
}

func (c *car) token() string { return c.server.Token("my-machine-client", "my-secret") }

// call sends a request with a token, or without one.
func (c *car) call(method, path, token string) apptest.Answer {
	c.t.Helper()
	request, err := http.NewRequest(method, c.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return c.server.Do(request)
}

func TestVerify(t *testing.T) {
	c := start(t, nil)
	token := c.token()
	for _, row := range []struct {
		method, path, token string
		status              int
		challenge           string
	}{
		{"GET", "/verify", token, 200, ""},
		{"POST", "/verify", token, 200, ""},
		{"PURGE", "/verify/a/b%2Fc//d/../e", token, 200, ""},
		{"HEAD", "/verify/?scope=profile", token, 200, ""},
		{"GET", "/verify?scope=openid+profile&x=y", token, 200, ""},
		{"GET", "/verify?scope=profile+admin", token, 403, `Bearer realm="chit", error="insufficient_scope", scope="openid profile admin"`},
		{"GET", "/verify?scope=profile&scope=admin", token, 403, `Bearer realm="chit", error="insufficient_scope", scope="openid profile admin"`},
		{"GET", "/verify?scope=%22", token, 400, ""},
		{"GET", "/verify?scope=%zz", token, 400, ""},
		{"GET", "/verify?access_token=" + token, "", 401, `Bearer realm="chit"`},
		{"GET", "/verify", "x", 401, `Bearer realm="chit", error="invalid_token"`},
		{"GET", "/verify", token + " " + token, 400, `Bearer realm="chit", error="invalid_request"`},
		{"GET", "/", token, 404, ""},
		{"GET", "/verifyx", token, 404, ""},
	} {
		answer := c.call(row.method, row.path, row.token)
		if answer.Status != row.status || answer.Header.Get("WWW-Authenticate") != row.challenge {
			t.Errorf("%s %s: %d %v", row.method, row.path, answer.Status, answer.Header)
		}
		if row.status == 200 && (answer.Body != "" || answer.Header.Get("X-Chit-Client-Id") != "my-machine-client" ||
			answer.Header.Get("X-Chit-Scope") != "openid profile" || len(answer.Header.Get("X-Chit-Jti")) != 64) {
			t.Errorf("%s %s: %v %q", row.method, row.path, answer.Header, answer.Body)
		}
	}
	log := c.log.String()
	if n := strings.Count(log, `"msg":"refused"`); n != 5 || strings.Contains(log, token[5:]) {
		t.Errorf("%d refusals in the log: %s", n, log)
	}
}

// A client id that no header can carry gets nobody in.
func TestClientIDWithALineBreak(t *testing.T) {
	c := start(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was passed on") })
	c.server.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('a' || char(10) || 'X-Chit-Scope: admin', '" + models.HashSecret("x") + "', 'openid')")
	token := c.server.Token("a%0AX-Chit-Scope%3A%20admin", "x")
	for _, path := range []string{"/verify", "/other"} {
		if answer := c.call("GET", path, token); answer.Status != 403 || answer.Header.Get("X-Chit-Client-Id") != "" {
			t.Errorf("%s: %d %v", path, answer.Status, answer.Header)
		}
	}
}

func TestUpstream(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the test compares it
		fmt.Fprintf(w, "%s %s %s %q %q %s", r.Method, r.URL, body, r.Header["X-Chit-Client-Id"], r.Header["X-Forwarded-For"], r.Host)
	})
	request, err := http.NewRequest("PUT", c.URL+"/a%2Fb//c?d=e", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token())
	request.Header["X-Chit-Client-Id"] = []string{"root", "admin"}
	request.Header.Set("Connection", "X-Chit-Client-Id")
	request.Header.Set("X-Forwarded-For", "192.0.2.1")
	request.Host = "api.example.com"
	want := `PUT /base/a%2Fb//c?d=e body ["my-machine-client"] ["192.0.2.1, 127.0.0.1"] api.example.com`
	if answer := c.server.Do(request); answer.Status != 200 || answer.Body != want {
		t.Errorf("%d %s, not %s", answer.Status, answer.Body, want)
	}
	if answer := c.call("GET", "/a", ""); answer.Status != 401 {
		t.Errorf("without a token: %d", answer.Status)
	}
}

// The upstream's stream arrives at once, and an upgrade works.
func TestUpstreamThatStreams(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, pipe, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = pipe.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n") // the test sees what arrives
			_ = pipe.Flush()
			line, _ := pipe.ReadString('\n')
			_, _ = pipe.WriteString(line)
			_ = pipe.Flush()
			return
		}
		fmt.Fprintln(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-hold
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	token := c.token()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", token)
	read := bufio.NewReader(conn)
	if response, err := http.ReadResponse(read, nil); err != nil || response.StatusCode != 101 {
		t.Fatalf("upgrade: %v %v", response, err)
	}
	fmt.Fprintln(conn, "hello")
	if line, err := read.ReadString('\n'); line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
	request, err := http.NewRequest("GET", c.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if line, err := bufio.NewReader(response.Body).ReadString('\n'); line != "first\n" {
		t.Errorf("%q %v", line, err)
	}
}

func TestUpstreamIsAway(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		panic(http.ErrAbortHandler)
	})
	if answer := c.call("GET", "/", c.token()); answer.Status != 502 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if !strings.Contains(c.log.String(), "the upstream does not answer") {
		t.Errorf("the log: %s", c.log)
	}
}

func TestOps(t *testing.T) {
	c := start(t, nil)
	ops := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		c.Ops().ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer.Code, answer.Body.String()
	}
	token := c.token()
	for range 3 {
		c.call("GET", "/verify", token)
	}
	c.call("GET", "/verify", "")
	if status, body := ops("/healthz"); status != 200 {
		t.Errorf("/healthz: %d %s", status, body)
	}
	if status, body := ops("/readyz"); status != 200 || !strings.Contains(body, `"ready"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	_, metrics := ops("/metrics")
	for _, line := range []string{"chit_guard_hearing 1", "chit_guard_active_tokens 1", "chit_guard_hits_total 2", "chit_guard_introspections_total 1", `chit_guard_refusals_total{status="401"} 1`} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("no %s in the metrics: %s", line, metrics)
		}
	}
}

// A sidecar starts although the server is away, says so, and heals by itself.
func TestServerIsAwayAtTheStart(t *testing.T) {
	address := apptest.FreeAddress(t)
	s, err := sidecar.New(sidecar.Options{
		Guard: guard.Config{Issuer: "http://" + address, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"},
		Log:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ready := func() int {
		answer := httptest.NewRecorder()
		s.Ops().ServeHTTP(answer, httptest.NewRequest("GET", "/readyz", nil))
		return answer.Code
	}
	if got := ready(); got != 503 {
		t.Errorf("the server is away: %d", got)
	}
	apptest.Embedded(t, "--listen="+address, "--issuer=http://"+address)
	for began := time.Now(); ready() != 200; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it does not heal")
		}
	}
}
