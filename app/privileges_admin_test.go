package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"chit/app/apptest"
)

// The admin API needs the privileges of operators. Without them it says so.
func TestRolesForTheAdminAPI(t *testing.T) {
	t.Parallel()
	g := granted(t)
	p := apptest.StartChit(t, append(g.as(t, "server"), "CHIT_MIGRATE=off"))
	secret := apptest.Create(t, g.as(t, "operator"), "ops", "--scope=chit:admin").ClientSecret
	token := p.Token("ops", secret)
	admin := func(method, path, body string) apptest.Answer {
		t.Helper()
		request, err := http.NewRequest(method, p.OpsURL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		return apptest.Send(t, request)
	}
	requests := []struct{ method, path, body string }{
		{"POST", "/admin/clients", `{"client_id":"job"}`},
		{"GET", "/admin/clients/ops/tokens", ""},
		{"DELETE", "/admin/clients/job", ""},
	}
	for _, r := range requests[:2] {
		if got := admin(r.method, r.path, r.body); got.Status != 500 || !strings.Contains(got.Body, "privileges of operators") {
			t.Errorf("%s %s without the privileges: %d %s", r.method, r.path, got.Status, got.Body)
		}
	}
	apptest.Psql(t, g.database.URL, "GRANT chit_operator TO chit_server")
	for _, block := range leastPrivilege(t) {
		if _, rules, found := strings.Cut(block[2], `SETUSER chit-operator reset on "#$DIGEST"`); found {
			args := regexp.MustCompile(`\([^)]*\)|~\S+|\+\S+`).FindAllString(strings.NewReplacer("'", "", "\\\n", "").Replace(rules), -1)
			g.redis.CLI(append([]string{"ACL", "SETUSER", "chit-server"}, args...)...)
		}
	}
	for _, r := range requests {
		if got := admin(r.method, r.path, r.body); got.Status > 299 {
			t.Errorf("%s %s: %d %s", r.method, r.path, got.Status, got.Body)
		}
	}
}
