package app_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"chit/app"
	"chit/app/apptest"
)

// used sends a request of every kind to a server.
func used(t *testing.T, s *apptest.Server) {
	t.Helper()
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('counted', 'GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4=', 'chit:read'), ('disabled', 'GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4=', '')")
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'disabled'")
	token := s.Token("counted", "my-secret")
	s.Active("counted", "my-secret", token)
	s.Post("/introspect", "counted", "my-secret", "token=x")
	s.Post("/token", "counted", "my-secret", tokenPlease+"&scope=other")
	s.Post("/token", "counted", "wrong", tokenPlease)
	s.Post("/token", "stranger", "wrong", tokenPlease)
	s.Post("/token", "disabled", "my-secret", tokenPlease)
	apptest.Get(t, s.URL+"/healthz")
	request, err := http.NewRequest("GET", s.OpsURL+"/admin/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	apptest.Send(t, request)
	s.Post("/revoke", "counted", "my-secret", "token="+token)
}

// Introspections are counted by result, and refusals by reason. Clients have counters only if that is set.
func TestMetricsOfResults(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t, "--metrics-clients=1")
	used(t, s)
	s.Token(demo, demoSecret)
	got := samples(t, s)
	for sample, want := range map[string]int{
		`chit_introspections_total{result="active"}`:                                             1,
		`chit_introspections_total{result="malformed"}`:                                          1,
		`chit_introspections_total{result="revoked"}`:                                            0,
		`chit_refusals_total{reason="wrong_secret"}`:                                             1,
		`chit_refusals_total{reason="unknown_client"}`:                                           1,
		`chit_refusals_total{reason="client_is_disabled"}`:                                       1,
		`chit_refusals_total{reason="throttled"}`:                                                0,
		`chit_refusals_total{reason="invalid_scope"}`:                                            1,
		`chit_admin_requests_total{route="GET /admin/stats",status="200"}`:                       1,
		`chit_client_requests_total{client_id="counted",kind="issued"}`:                          1,
		`chit_client_requests_total{client_id="counted",kind="introspected"}`:                    2,
		`chit_retired_secrets_in_use`:                                                            0,
		`chit_redis_batch_waiting_calls`:                                                         0,
		`chit_build_info{goversion="` + runtime.Version() + `",version="` + app.Version() + `"}`: 1,
	} {
		if got[sample] != fmt.Sprint(want) {
			t.Errorf("%s is %q, want %d", sample, got[sample], want)
		}
	}
	for name := range got {
		if strings.Contains(name, demo) {
			t.Errorf("more clients than the setting allows: %s", name)
		}
	}
	if got := apptest.Chit(t, nil, "serve", "--metrics-clients=1001"); got.Status != 2 || !strings.Contains(got.Stderr, "CHIT_METRICS_CLIENTS: 1001 is not a number from 0 to 1000") {
		t.Errorf("%+v", got)
	}
}

// The metrics follow the conventions of Prometheus, and docs/operations.md names every one of them.
func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	promtool := apptest.Tool(t, "promtool")
	ca := apptest.NewAuthority(t)
	own := ca.Issue("127.0.0.1")
	s := apptest.Real(t, "--metrics-clients=10")
	used(t, s)
	secure := s.Another("--tls-cert="+own.Cert, "--tls-key="+own.Key)
	if got := apptest.Get(t, secure.OpsURL+"/metrics").Body; !regexp.MustCompile(`(?m)^chit_tls_certificate_expiry_timestamp_seconds{listener="public"} 1\.\d+e\+09$`).MatchString(got) {
		t.Error("no expiry of the certificate")
	}
	text := apptest.Get(t, s.OpsURL+"/metrics").Body
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (chit_\w+) `).FindAllStringSubmatch(text, -1) {
		if name := match[1]; !documented(string(document), name) {
			t.Errorf("docs/operations.md does not have %s", name)
		}
	}
}

// documented reports whether the table of metrics has a name, whole or after the "…" of a common beginning.
func documented(document, name string) bool {
	if strings.Contains(document, "`"+name+"`") || strings.Contains(document, "`"+name+"{") {
		return true
	}
	for i := range name {
		if name[i] == '_' && (strings.Contains(document, "`…"+name[i:]+"`") || strings.Contains(document, "`…"+name[i:]+"{") || strings.Contains(document, "`"+name[:i+1]+"…`")) {
			return true
		}
	}
	return false
}
