package app_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chit/app/apptest"
)

func TestOpsEndpointsAreNotPublic(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol"} {
		if got := apptest.Get(t, s.OpsURL+path); got.Status != http.StatusOK || got.Body == "" {
			t.Errorf("ops %s: %d", path, got.Status)
		}
		if got := s.Get(path); got.Status != http.StatusNotFound || got.Text("error") == "" {
			t.Errorf("public %s: %d %s", path, got.Status, got.Body)
		}
	}
	for _, path := range []string{"/token", "/introspect", "/readyz", "/nowhere"} {
		if got := apptest.Get(t, s.OpsURL+path); got.Status != http.StatusNotFound {
			t.Errorf("ops %s: %d", path, got.Status)
		}
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		t.Parallel()
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('counted', 'GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4=')")
		want := map[string]int{
			`chit_events_total{event="token_issued"}`:           0,
			`chit_events_total{event="token_revoked"}`:          0,
			`chit_events_total{event="authentication_refused"}`: 0,
		}
		expect := func() {
			t.Helper()
			got := samples(t, s)
			for sample, count := range want {
				if got[sample] != fmt.Sprint(count) {
					t.Errorf("%s is %q, want %d", sample, got[sample], count)
				}
			}
		}
		expect()
		for range 3 {
			s.Token("counted", "my-secret")
		}
		s.Post("/revoke", "counted", "my-secret", "token="+s.Token("counted", "my-secret"))
		s.Post("/token", "counted", "wrong", tokenPlease)
		s.Post("/introspect", "stranger", "wrong", "token=x")
		want[`chit_events_total{event="token_issued"}`] = 4
		want[`chit_events_total{event="token_revoked"}`] = 1
		want[`chit_events_total{event="authentication_refused"}`] = 2
		want[`chit_http_requests_total{route="/token",status="200"}`] = 4
		want[`chit_http_requests_total{route="/token",status="401"}`] = 1
		want[`chit_http_requests_total{route="/introspect",status="401"}`] = 1
		want[`chit_http_request_duration_seconds_count{route="/token"}`] = 5
		expect()
	})
}

// The number of series depends on routes and statuses only, whatever clients send.
func TestStrangersMakeNoNewMetrics(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	attack := func(mark string) {
		for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE", "MADE-UP-" + mark} {
			for _, path := range []string{"/" + mark, "/token/" + mark, "/token" + mark, "/oauth2/" + mark, "/token", "/.well-known/" + mark, "/token?x=" + mark, "//" + mark, "/%2e%2e/" + mark, "/*"} {
				request, err := http.NewRequest(method, s.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Host = mark + ".example.com"
				request.Header.Set("User-Agent", mark)
				request.SetBasicAuth(mark, mark)
				apptest.Send(t, request)
			}
		}
	}
	attack("first-stranger")
	attackAdmin(t, s, "first-stranger")
	before := series(t, s)
	attackAdmin(t, s, "second-stranger")
	attack("second-stranger")
	after := series(t, s)
	if !slices.Equal(before, after) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	for _, name := range after {
		if strings.Contains(name, "stranger") {
			t.Errorf("made up by a stranger: %s", name)
		}
	}
}

// attackAdmin sends requests without a token to the admin API.
func attackAdmin(t *testing.T, s *apptest.Server, mark string) {
	t.Helper()
	for _, method := range []string{"GET", "PUT", "MADE-UP-" + mark} {
		for _, path := range []string{"/admin/" + mark, "/admin/clients", "/admin/clients/" + mark, "/admin/tokens/" + mark} {
			request, err := http.NewRequest(method, s.OpsURL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			apptest.Send(t, request)
		}
	}
}

var sampleLine = regexp.MustCompile(`(?m)^(chit_\w+(?:{.*})?) (\S+)$`)

// samples returns the samples of Chit's own metrics.
func samples(t *testing.T, s *apptest.Server) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, match := range sampleLine.FindAllStringSubmatch(apptest.Get(t, s.OpsURL+"/metrics").Body, -1) {
		found[match[1]] = match[2]
	}
	return found
}

// series returns the names of the samples, in order.
func series(t *testing.T, s *apptest.Server) []string {
	t.Helper()
	var names []string
	for name := range samples(t, s) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
