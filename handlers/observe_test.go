package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/tokens"
)

// lines returns the log lines of requests.
func lines(t *testing.T, s *apptest.Server) []map[string]any {
	t.Helper()
	var requests []map[string]any
	for line := range strings.Lines(s.Log()) {
		members := map[string]any{}
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if members["msg"] == "request" {
			requests = append(requests, members)
		}
	}
	return requests
}

// The log has one line for each request, with the client and the token. The same line is the audit trail.
func TestLogLines(t *testing.T) {
	s := register(apptest.Embedded(t))
	token := s.Token("alice", secret)
	id := tokens.ID(token)
	s.Post("/introspect?secret=in-the-query", "api", secret, "token="+token)
	s.Post("/oauth2/revoke", "alice", secret, "token="+token)
	s.Post("/token", "alice", "wr0ng", "grant_type=client_credentials")
	s.Post("/token", "nobody", "wr0ng", "grant_type=client_credentials")
	s.Post("/token", token, "", "grant_type=client_credentials")
	s.Post("/made-up-by-a-stranger", "", "", "")

	got := lines(t, s)
	want := []map[string]any{
		{"level": "INFO", "route": "/token", "status": 200., "client_id": "alice", "jti": id, "event": "token_issued"},
		{"level": "INFO", "route": "/introspect", "status": 200., "client_id": "api", "jti": id},
		{"level": "INFO", "route": "/oauth2/revoke", "status": 200., "client_id": "alice", "jti": id, "event": "token_revoked"},
		{"level": "WARN", "route": "/token", "status": 401., "client_id": "alice", "event": "authentication_refused", "cause": "client authentication failed: wrong secret"},
		{"level": "WARN", "route": "/token", "status": 401., "event": "authentication_refused", "cause": "client authentication failed: unknown client"},
		{"level": "WARN", "route": "/token", "status": 401., "event": "authentication_refused"},
		{"level": "INFO", "route": "unmatched", "status": 404.},
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), s.Log())
	}
	for i := range want {
		for _, name := range []string{"level", "route", "status", "client_id", "jti", "event"} {
			if got[i][name] != want[i][name] {
				t.Errorf("line %d: %s is %v, want %v", i, name, got[i][name], want[i][name])
			}
		}
		if want[i]["cause"] != nil && got[i]["cause"] != want[i]["cause"] {
			t.Errorf("line %d: cause is %v", i, got[i]["cause"])
		}
		if _, measured := got[i]["duration_ms"].(float64); !measured || got[i]["request_id"] == "" || got[i]["remote"] != "127.0.0.1" {
			t.Errorf("line %d: %v", i, got[i])
		}
	}
	for _, private := range []string{token, secret, "wr0ng", "in-the-query", "made-up"} {
		if strings.Contains(s.Log(), private) {
			t.Errorf("%q is in the log", private)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	s := apptest.Embedded(t)
	for sent, kept := range map[string]bool{
		"8f1c-from_the.proxy":   true,
		"":                      false,
		"with a space":          false,
		strings.Repeat("a", 65): false,
	} {
		request, err := http.NewRequest(http.MethodGet, s.URL+"/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Request-Id", sent)
		got := s.Do(request).Header.Get("X-Request-Id")
		if got == "" || (got == sent) != kept {
			t.Errorf("sent %q, got %q", sent, got)
		}
		all := lines(t, s)
		if logged := all[len(all)-1]["request_id"]; logged != got {
			t.Errorf("answered %q, logged %q", got, logged)
		}
	}
}
