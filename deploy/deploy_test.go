// Package deploy_test runs what deploy/ has for operators on a real Prometheus.
package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"chit/app/apptest"
	"chit/app/cli"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.RunWithChit(m, cli.Main) }

// rules is the file of the rules.
type rules struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	text, err := os.ReadFile("prometheus/rules.yml")
	if err == nil {
		err = yaml.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every alert fires when it should, and not on a healthy server.
func TestAlerts(t *testing.T) {
	promtool := apptest.Tool(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "--lint-fatal", "prometheus/prometheus.yml"},
		{"test", "rules", "prometheus/rules_test.yml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	tests, err := os.ReadFile("prometheus/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			if !regexp.MustCompile(`alertname: `+rule.Alert+`\n\s+exp_alerts`).Match(tests) || !strings.Contains(string(tests), "alertname: "+rule.Alert+"}") {
				t.Errorf("%s is not tested to fire and not to fire", rule.Alert)
			}
			if !strings.Contains(string(runbook), "\n## "+rule.Alert+"\n") || rule.Annotations["runbook"] != "docs/runbook.md#"+strings.ToLower(rule.Alert) {
				t.Errorf("%s is not in the runbook", rule.Alert)
			}
		}
	}
}

// queries returns every query of the dashboard and of the rules. Those of alerts are without the comparison, so
// that they have data although nothing is wrong.
func queries(t *testing.T) (found []string) {
	t.Helper()
	comparison := regexp.MustCompile(` (==|>|<) [\d.]+`)
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			found = append(found, comparison.ReplaceAllString(rule.Expr, ""))
			if rule.Record != "" {
				found = append(found, rule.Record)
			}
		}
	}
	text, err := os.ReadFile("grafana/dashboards/chit.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found = append(found, strings.NewReplacer("$__rate_interval", "1m", "$job", "chit").Replace(target.Expr))
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d queries", len(found))
	}
	return found
}

// Every query of the dashboard and of the rules has data on a running server.
func TestQueriesHaveData(t *testing.T) {
	prometheus := apptest.Tool(t, "prometheus")
	ca := apptest.NewAuthority(t)
	own := ca.Issue("127.0.0.1")
	s := apptest.Real(t)
	secure := apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + s.DatabaseURL, "CHIT_REDIS_URL=" + s.RedisURL}, "--tls-cert="+own.Cert, "--tls-key="+own.Key)
	address := start(t, prometheus, s.OpsURL, secure.OpsURL)
	use := traffic(t, s)
	waiting := queries(t)
	t.Cleanup(func() {
		if len(waiting) > 0 {
			t.Errorf("without data:\n%s", strings.Join(waiting, "\n"))
		}
	})
	apptest.Eventually(t, 90*time.Second, "every query has data", func() bool {
		use()
		var left []string
		for _, query := range waiting {
			if !hasData(t, address, query) {
				left = append(left, query)
			}
		}
		if waiting = left; len(waiting) > 0 {
			time.Sleep(500 * time.Millisecond)
		}
		return len(waiting) == 0 || t.Context().Err() != nil
	})
}

// start starts Prometheus with the rules. It scrapes these servers every second.
func start(t *testing.T, program string, opsURLs ...string) (address string) {
	t.Helper()
	here, err := filepath.Abs("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, url := range opsURLs {
		targets = append(targets, strings.TrimPrefix(url, "http://"))
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: chit, static_configs: [{targets: [%s]}]}]\n", here, strings.Join(targets, ", "))
	address = apptest.FreeAddress(t)
	cmd := exec.Command(program, "--config.file="+apptest.File(t, config), "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+address)
	log := &apptest.Output{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or its files are deleted anyway
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	apptest.Eventually(t, 20*time.Second, "Prometheus is ready", func() bool {
		answer, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return address
}

// traffic returns a function that sends a request of every kind.
func traffic(t *testing.T, s *apptest.Server) func() {
	t.Helper()
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, is_resource_server) VALUES ('job', '" + models.HashSecret("s3cret") + "', 'chit:admin', true)")
	s.Receive("job", "s3cret")
	return func() {
		token := s.Token("job", "s3cret")
		s.Active("job", "s3cret", token)
		s.Post("/token", "job", "wrong", "grant_type=client_credentials")
		request, err := http.NewRequest("PATCH", s.OpsURL+"/admin/clients/job", strings.NewReader(`{"client_name":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		apptest.Send(t, request)
		s.Post("/revoke", "job", "s3cret", "token="+token)
		apptest.Get(t, s.URL+"/healthz")
	}
}

// hasData reports whether a query has a value that is a number.
func hasData(t *testing.T, address, query string) bool {
	t.Helper()
	answer := apptest.Get(t, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query))
	var result struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(answer.Body), &result); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", query, answer.Status, answer.Body)
	}
	for _, sample := range result.Data.Result {
		if sample.Value[1] != "NaN" {
			return true
		}
	}
	return false
}
