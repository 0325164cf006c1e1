package guard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fake is an authorization server that does what the test says.
type fake struct {
	*httptest.Server
	t testing.TB

	asked   atomic.Int64 // introspections that have arrived
	opened  atomic.Int64 // streams that were opened
	silent  atomic.Bool  // no heartbeats
	refuses atomic.Int64 // status of every answer; 0: none
	forbids atomic.Bool  // no streams, with status 403
	log     lines

	mu      sync.Mutex
	live    map[string]string // the client of each active token
	answer  http.HandlerFunc  // in place of introspection; nil: none
	streams map[chan string]bool
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newFake starts a server.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{t: t, live: map[string]string{}, streams: map[chan string]bool{}}
	f.Server = httptest.NewServer(f.handler())
	t.Cleanup(f.stop)
	return f
}

func (f *fake) stop() {
	f.CloseClientConnections()
	f.Server.Close()
}

func (f *fake) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q,"invalidation_endpoint":%q}`, f.URL, f.URL+"/introspect", f.URL+"/invalidations")
	})
	mux.HandleFunc("POST /introspect", f.introspect)
	mux.HandleFunc("GET /invalidations", f.stream)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); r.URL.Path == "/introspect" && (id != "api" || secret != "s%3Acret") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if status := f.refuses.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (f *fake) introspect(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	f.tell(w, r.FormValue("token"))
}

// tell writes the answer to an introspection.
func (f *fake) tell(w http.ResponseWriter, token string) {
	f.mu.Lock()
	client, live := f.live[token]
	f.mu.Unlock()
	if !live {
		fmt.Fprint(w, `{"active":false}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"active": true, "client_id": client, "scope": "read write", "jti": jti(token),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// answers replaces introspection.
func (f *fake) answers(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	if f.forbids.Load() {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	f.opened.Add(1)
	events := make(chan string, 1000)
	f.mu.Lock()
	f.streams[events] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.streams, events)
	}()
	control := http.NewResponseController(w)
	fmt.Fprint(w, "event: ready\ndata: {}\n\n")
	_ = control.Flush()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		text := "event: heartbeat\ndata: {}\n\n"
		select {
		case text = <-events:
		case <-ticker.C:
			if f.silent.Load() {
				continue
			}
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, text)
		if control.Flush() != nil {
			return
		}
	}
}

// send puts an event on every stream and waits until the guard must have read it.
func (f *fake) send(name, data string) {
	f.mu.Lock()
	for events := range f.streams {
		events <- fmt.Sprintf("event: %s\ndata: %s\n\n", name, data)
	}
	f.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
}

// issue returns an active token of a client.
func (f *fake) issue(client string) string {
	token := mint()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[token] = client
	return token
}

// end makes a token inactive, without an event.
func (f *fake) end(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, token)
}

// guard returns a guard whose stream is open.
func (f *fake) guard(change ...func(*Config)) *Guard {
	f.t.Helper()
	return f.guardAt(newClock(), change...)
}

func (f *fake) config() Config {
	return Config{Issuer: f.URL, ClientID: "api", ClientSecret: "s:cret", Log: slog.New(slog.NewTextHandler(&f.log, nil))}
}

func (f *fake) guardAt(clock clock, change ...func(*Config)) *Guard {
	f.t.Helper()
	config := f.config()
	for _, c := range change {
		c(&config)
	}
	g, err := start(config, clock)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { g.Close() })
	until(f.t, "the guard hears", func() bool { return g.hears(g.clock()) })
	return g
}

// expect checks a token and expects an outcome and a number of introspections.
func (f *fake) expect(g *Guard, token string, want error, asked int64) {
	f.t.Helper()
	before := f.asked.Load()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	got, err := g.Check(ctx, token)
	if !is(err, want) || err == nil && got.ID != jti(token) {
		f.t.Errorf("Check: %v %v, not %v", got, err, want)
	}
	if now := f.asked.Load() - before; now != asked {
		f.t.Errorf("%d introspections, not %d", now, asked)
	}
}

// until waits for up to ten seconds.
func until(t testing.TB, what string, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("waited 10 s in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// mint returns text that has the form of a token.
func mint() string {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	random := make([]byte, 33)
	_, _ = rand.Read(random) // never fails
	token := "chit_" + encoding.EncodeToString(random)[:randomLength]
	return token + encoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(token))))
}

func jti(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
