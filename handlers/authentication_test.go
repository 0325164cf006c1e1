package handlers_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
)

func TestClientAuthentication(t *testing.T) {
	basic := func(joined string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(joined)) }
	rows := []struct {
		name          string
		authorization string
		form          string
		status        int
		code          string
	}{
		{"Basic", basic("alice:s3cret"), "", 200, ""},
		{"scheme in lower case", strings.Replace(basic("alice:s3cret"), "Basic", "basic", 1), "", 200, ""},
		{"scheme in capitals", strings.Replace(basic("alice:s3cret"), "Basic", "BASIC", 1), "", 200, ""},
		{"body", "", "client_id=alice&client_secret=s3cret", 200, ""},
		{"Basic, form-encoded", basic("odd+id%2B%2541:s3cret"), "", 200, ""},
		{"Basic, raw", basic("odd id+%41:s3cret"), "", 200, ""},
		{"Basic, secret form-encoded for nothing", basic("alice:%73%33cret"), "", 200, ""},
		{"body, odd id", "", "client_id=" + url.QueryEscape("odd id+%41") + "&client_secret=s3cret", 200, ""},
		{"Basic and the same client_id", basic("alice:s3cret"), "client_id=alice", 200, ""},
		{"Basic, raw, and the same client_id", basic("odd id+%41:s3cret"), "client_id=" + url.QueryEscape("odd id+%41"), 200, ""},
		{"Basic and another client_id", basic("alice:s3cret"), "client_id=bob", 400, "invalid_request"},
		{"Basic and a secret in the body", basic("alice:s3cret"), "client_id=alice&client_secret=s3cret", 400, "invalid_request"},
		{"no credentials", "", "", 401, "invalid_client"},
		{"client_id alone", "", "client_id=alice", 401, "invalid_client"},
		{"client_secret alone", "", "client_secret=s3cret", 401, "invalid_client"},
		{"unknown client", basic("nobody:s3cret"), "", 401, "invalid_client"},
		{"unknown client in the body", "", "client_id=nobody&client_secret=s3cret", 401, "invalid_client"},
		{"wrong secret", basic("alice:wrong"), "", 401, "invalid_client"},
		{"wrong secret in the body", "", "client_id=alice&client_secret=wrong", 401, "invalid_client"},
		{"empty secret", basic("alice:"), "", 401, "invalid_client"},
		{"the hash as the secret", basic("alice:" + secretHash), "", 401, "invalid_client"},
		{"disabled", basic("disabled:s3cret"), "", 401, "invalid_client"},
		{"no hash, no secret", basic("hashless:"), "", 401, "invalid_client"},
		{"no hash, a secret", basic("hashless:s3cret"), "", 401, "invalid_client"},
		{"id in capitals", basic("ALICE:s3cret"), "", 401, "invalid_client"},
		{"id with NUL", basic("ali\x00ce:s3cret"), "", 401, "invalid_client"},
		{"id not UTF-8", basic("ali\xffce:s3cret"), "", 401, "invalid_client"},
		{"id with NUL in the body", "", "client_id=ali%00ce&client_secret=s3cret", 401, "invalid_client"},
		{"id not UTF-8 in the body", "", "client_id=ali%ffce&client_secret=s3cret", 400, "invalid_request"},
		{"long id", basic(strings.Repeat("a", 4000) + ":s3cret"), "", 401, "invalid_client"},
		{"no colon", basic("alice"), "", 401, "invalid_client"},
		{"not base64", "Basic alice:s3cret", "", 401, "invalid_client"},
		{"Basic alone", "Basic", "", 401, "invalid_client"},
		{"another scheme", "Bearer chit_x", "", 401, "invalid_client"},
		{"quotes", basic(`' OR ''=':' OR ''='`), "", 401, "invalid_client"},
	}
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for path, parameters := range map[string]string{"/token": "grant_type=client_credentials", "/introspect": "token=x", "/revoke": "token=x"} {
			for _, row := range rows {
				t.Run(path+" "+row.name, func(t *testing.T) {
					answer := s.Do(request(t, s.URL+path, parameters+"&"+row.form, row.authorization))
					if answer.Status != row.status || answer.Text("error") != row.code {
						t.Errorf("got %d %s, want %d %s", answer.Status, answer.Body, row.status, row.code)
					}
					if row.status == 401 && !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), `Basic realm="`) {
						t.Errorf("WWW-Authenticate: %q", answer.Header["Www-Authenticate"])
					}
					checkCommonHeaders(t, answer)
				})
			}
		}
	})
}

func request(t *testing.T, url, form string, authorization ...string) *http.Request {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, value := range authorization {
		if value != "" {
			request.Header.Add("Authorization", value)
		}
	}
	return request
}

// The answers for an unknown client, a wrong secret, a disabled client and missing credentials are the
// same.
func TestRefusalsAreAlike(t *testing.T) {
	s := register(apptest.Embedded(t))
	want := s.Post("/token", "nobody", "s3cret", "grant_type=client_credentials")
	for _, credentials := range [][2]string{{"alice", "wrong"}, {"alice", ""}, {"disabled", secret}, {"hashless", ""}, {"", ""}, {"api", "wrong"}} {
		got := s.Post("/token", credentials[0], credentials[1], "grant_type=client_credentials")
		got.Header.Set("X-Request-Id", want.Header.Get("X-Request-Id"))
		got.Header.Set("Date", want.Header.Get("Date"))
		if got.Body != want.Body || got.Status != want.Status || len(got.Header) != len(want.Header) ||
			got.Header.Get("WWW-Authenticate") != want.Header.Get("WWW-Authenticate") {
			t.Errorf("%q: got %v, want %v", credentials, got, want)
		}
	}
}

func TestTwoAuthorizationHeaders(t *testing.T) {
	s := register(apptest.Embedded(t))
	answer := s.Do(request(t, s.URL+"/token", "grant_type=client_credentials", "Basic YWxpY2U6czNjcmV0", "Basic YWxpY2U6czNjcmV0"))
	if answer.Status != 400 || answer.Text("error") != "invalid_request" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
}

// A secret works form-encoded and raw, even if the two readings differ.
func TestSecretWithPlusAndPercent(t *testing.T) {
	s := apptest.Embedded(t)
	// printf %s 'a+b%2Bc d' | openssl dgst -sha256 -binary | base64
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('plus', 'TRrm1RAcwr422V+31gj9P/wvKedsqWdQSMryln9unD0=')`)
	for name, joined := range map[string]string{"raw": "plus:a+b%2Bc d", "encoded": "plus:" + url.QueryEscape("a+b%2Bc d")} {
		authorization := "Basic " + base64.StdEncoding.EncodeToString([]byte(joined))
		if answer := s.Do(request(t, s.URL+"/token", "grant_type=client_credentials", authorization)); answer.Status != 200 {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}
