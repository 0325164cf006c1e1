package handlers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/tokens"
)

func TestToken(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for _, path := range []string{"/token", "/oauth2/token"} {
			answer := s.Post(path, "alice", secret, "grant_type=client_credentials")
			if answer.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, answer.Status, answer.Body)
			}
			token := answer.Text("access_token")
			if !regexp.MustCompile(`^chit_[A-Z2-7]{52}[A-Z2-7]{7}$`).MatchString(token) || !tokens.Recognise(token) {
				t.Errorf("%s: access_token %q", path, token)
			}
			want := `{"access_token":"` + token + `","token_type":"Bearer","expires_in":3600,"scope":"read write"}`
			if answer.Body != want {
				t.Errorf("%s: got %s, want %s", path, answer.Body, want)
			}
		}
	})
}

func TestTokenRules(t *testing.T) {
	rows := []struct {
		name         string
		user, secret string
		form         string
		status       int
		want         string // scope of the token, or the error
	}{
		{"scope in the order requested", "alice", secret, "grant_type=client_credentials&scope=write+read", 200, "write read"},
		{"scope without repeats", "alice", secret, "grant_type=client_credentials&scope=read+read", 200, "read"},
		{"blank scope", "alice", secret, "grant_type=client_credentials&scope=", 200, "read write"},
		{"scope of spaces", "alice", secret, "grant_type=client_credentials&scope=++", 200, "read write"},
		{"scope not allowed", "alice", secret, "grant_type=client_credentials&scope=admin", 400, "invalid_scope"},
		{"one scope of two not allowed", "alice", secret, "grant_type=client_credentials&scope=read+admin", 400, "invalid_scope"},
		{"client without scopes", "scopeless", secret, "grant_type=client_credentials", 200, ""},
		{"client without scopes asks for one", "scopeless", secret, "grant_type=client_credentials&scope=read", 400, "invalid_scope"},
		{"unknown parameter", "alice", secret, "grant_type=client_credentials&audience=x&scope=read", 200, "read"},
		{"empty parameter beside a full one", "alice", secret, "grant_type=client_credentials&scope=&scope=read", 200, "read"},
		{"grant_type missing", "alice", secret, "scope=read", 400, "invalid_request"},
		{"grant_type empty", "alice", secret, "grant_type=", 400, "invalid_request"},
		{"grant_type password", "alice", secret, "grant_type=password&username=a&password=b", 400, "unsupported_grant_type"},
		{"grant_type in capitals", "alice", secret, "grant_type=CLIENT_CREDENTIALS", 400, "unsupported_grant_type"},
		{"grant_type with a tail", "alice", secret, "grant_type=client_credentials+", 400, "unsupported_grant_type"},
		{"not registered for it", "browser", secret, "grant_type=client_credentials", 400, "unauthorized_client"},
		{"public client", "", "", "grant_type=client_credentials&client_id=public", 400, "unauthorized_client"},
		{"public client with a secret", "public", "anything", "grant_type=client_credentials", 400, "unauthorized_client"},
		{"grant_type twice", "alice", secret, "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"},
		{"unknown parameter twice", "alice", secret, "grant_type=client_credentials&x=1&x=2", 400, "invalid_request"},
		{"malformed escape", "alice", secret, "grant_type=client_credentials&scope=%zz", 400, "invalid_request"},
		{"not UTF-8", "alice", secret, "grant_type=client_credentials&scope=%ff", 400, "invalid_request"},
		{"NUL", "alice", secret, "grant_type=client_credentials&scope=read%00", 400, "invalid_scope"},
		{"empty body", "alice", secret, "", 400, "invalid_request"},
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				answer := s.Post("/token", row.user, row.secret, row.form)
				member := "error"
				if row.status == 200 {
					member = "scope"
				}
				if answer.Status != row.status || answer.Text(member) != row.want {
					t.Errorf("got %d %s, want %d %s", answer.Status, answer.Body, row.status, row.want)
				}
			})
		}
	})
}

func TestTokenLeavesScopeOutWhenEmpty(t *testing.T) {
	s := register(apptest.Embedded(t))
	answer := s.Post("/token", "scopeless", secret, "grant_type=client_credentials")
	if _, present := answer.JSON()["scope"]; present || answer.Status != 200 {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
}

func TestTokenLifetime(t *testing.T) {
	s := register(apptest.Embedded(t, "--token-ttl=600s"))
	for client, want := range map[string]float64{"alice": 600, "brief": 90} {
		answer := s.Post("/token", client, secret, "grant_type=client_credentials")
		if got := answer.JSON()["expires_in"]; got != want {
			t.Errorf("%s: expires_in %v, want %v", client, got, want)
		}
		id := tokens.ID(answer.Text("access_token"))
		if ttl, err := strconv.ParseFloat(s.RedisCLI("TTL", "oauth:token:"+id), 64); err != nil || ttl > want || ttl < want-1 {
			t.Errorf("%s: its key lives %v s, want %v", client, ttl, want)
		}
	}
}

func TestTokenPrefix(t *testing.T) {
	s := register(apptest.Embedded(t, "--token-prefix=acme-prod"))
	token := s.Token("alice", secret)
	if !strings.HasPrefix(token, "acme-prod_") {
		t.Errorf("token %q", token)
	}
	if !s.Active("alice", secret, token) {
		t.Error("the token is not active")
	}
}

// Operators see documented keys in Redis: named by the hash of the token, with JSON values, and an index
// ordered by expiry. The token itself is nowhere.
func TestTokenInRedis(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		id := tokens.ID(token)
		var value struct {
			ClientID string `json:"client_id"`
			Scope    string `json:"scope"`
			IssuedAt int64  `json:"iat"`
			Expires  int64  `json:"exp"`
		}
		text := s.RedisCLI("GET", "oauth:token:"+id)
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if value.ClientID != "alice" || value.Scope != "read write" || value.Expires != value.IssuedAt+3600 {
			t.Errorf("value %s", text)
		}
		if index := s.RedisCLI("ZRANGE", "oauth:client:alice:tokens", "0", "-1", "WITHSCORES"); index != fmt.Sprint(id, "\n", value.Expires) {
			t.Errorf("index %q", index)
		}
		for _, key := range strings.Fields(s.RedisCLI("KEYS", "*")) {
			if ttl := s.RedisCLI("TTL", key); strings.HasPrefix(ttl, "-") {
				t.Errorf("%s never expires", key)
			}
		}
		if strings.Contains(s.RedisCLI("KEYS", "*")+text, token[5:]) {
			t.Error("the token is in Redis")
		}
		if strings.Contains(s.Log(), token[5:]) || strings.Contains(s.Log(), secret) {
			t.Error("the token or the secret is in the log")
		}
	})
}

// Bodies that are not a form or too large, and other methods.
func TestRequestForms(t *testing.T) {
	s := register(apptest.Embedded(t))
	const form = "application/x-www-form-urlencoded"
	padded := func(size int) string {
		const start = "grant_type=client_credentials&x="
		return start + strings.Repeat("a", size-len(start))
	}
	for _, path := range []string{"/token", "/introspect", "/revoke", "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
		for _, row := range []struct {
			name                string
			method, query, kind string
			body                string
			status              int
			code                string
		}{
			{"JSON", "POST", "", "application/json", `{"grant_type":"client_credentials"}`, 400, "invalid_request"},
			{"multipart", "POST", "", "multipart/form-data; boundary=x", "--x--", 400, "invalid_request"},
			{"no content type", "POST", "", "", "token=x", 400, "invalid_request"},
			{"malformed content type", "POST", "", "application/x-www-form-urlencoded; =", "token=x", 400, "invalid_request"},
			{"over 64 KiB", "POST", "", form, padded(64<<10 + 1), 413, "invalid_request"},
			{"secret in the query", "POST", "?client_id=alice&client_secret=s3cret", form, "grant_type=client_credentials&token=x", 400, "invalid_request"},
			{"escaped secret in the query", "POST", "?client%5fsecret=s3cret", form, "grant_type=client_credentials&token=x", 400, "invalid_request"},
			{"secret in a malformed query", "POST", "?%zz&client_secret=s3cret", form, "grant_type=client_credentials&token=x", 400, "invalid_request"},
			{"GET", "GET", "", "", "", 405, "invalid_request"},
			{"PUT", "PUT", "", form, "token=x", 405, "invalid_request"},
			{"OPTIONS", "OPTIONS", "", "", "", 405, "invalid_request"},
			{"HEAD", "HEAD", "", "", "", 405, ""},
			{"a method that nobody knows", "BREW", "", form, "token=x", 405, "invalid_request"},
		} {
			t.Run(path+" "+row.name, func(t *testing.T) {
				request, err := http.NewRequest(row.method, s.URL+path+row.query, strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Content-Type", row.kind)
				request.SetBasicAuth("alice", secret)
				answer := s.Do(request)
				if answer.Status != row.status || answer.Text("error") != row.code {
					t.Errorf("got %d %s, want %d %s", answer.Status, answer.Body, row.status, row.code)
				}
				if row.status == 405 && answer.Header.Get("Allow") != "POST" {
					t.Errorf("Allow: %q", answer.Header["Allow"])
				}
				checkCommonHeaders(t, answer)
			})
		}
	}
}

func checkCommonHeaders(t *testing.T, answer apptest.Answer) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestBodyOf64KiBIsRead(t *testing.T) {
	s := register(apptest.Embedded(t))
	const start = "grant_type=client_credentials&x="
	answer := s.Post("/token", "alice", secret, start+strings.Repeat("a", 64<<10-len(start)))
	if answer.Status != 200 {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
}

// A body of unknown length is limited, too.
func TestChunkedBodyOver64KiB(t *testing.T) {
	s := register(apptest.Embedded(t))
	body := io.LimitReader(strings.NewReader(strings.Repeat("a", 1<<20)), 1<<20) // hides its length
	request, err := http.NewRequest(http.MethodPost, s.URL+"/token", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if answer := s.Do(request); answer.Status != 413 || answer.Text("error") != "invalid_request" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
}

// The query string is never read.
func TestQueryIsIgnored(t *testing.T) {
	s := register(apptest.Embedded(t))
	if answer := s.Post("/token?scope=admin&grant_type=password", "alice", secret, "grant_type=client_credentials"); answer.Text("scope") != "read write" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
	if answer := s.Post("/token?grant_type=client_credentials", "alice", secret, "scope=read"); answer.Text("error") != "invalid_request" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
	if answer := s.Post("/token?client_id=alice", "", "", "grant_type=client_credentials"); answer.Status != 401 {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
}

// RFC 6749 §5.2 allows only some characters in descriptions.
func TestErrorDescriptions(t *testing.T) {
	s := register(apptest.Embedded(t))
	wellFormed := regexp.MustCompile(`^[\x20\x21\x23-\x5B\x5D-\x7E]+$`)
	for _, form := range []string{"", "grant_type=x", "grant_type=client_credentials&scope=x", "a=1&a=2", "%"} {
		answer := s.Post("/token", "alice", secret, form)
		if description := answer.Text("error_description"); !wellFormed.MatchString(description) {
			t.Errorf("%q: %q", form, description)
		}
		checkCommonHeaders(t, answer)
	}
}

func TestUnknownPath(t *testing.T) {
	s := apptest.Embedded(t)
	for _, path := range []string{"/", "/nothing", "/token/", "/metrics", "/debug/pprof/", "/oauth2", "/token/../x"} {
		answer := s.Get(path)
		if answer.Status != 404 || answer.Text("error") != "not_found" {
			t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
		}
	}
}
