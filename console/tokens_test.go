package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

type token struct {
	Active   bool
	ID       string `json:"jti"`
	ClientID string `json:"client_id"`
	Scope    string
	Reason   string
}

func TestTokensByTheAPI(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('job', '" + models.HashSecret(secret) + "', 'a b')")
		o := employ(t, s, "chit:admin")
		one, two, three := s.Token("job", secret), s.Token("job", secret), s.Token("job", secret)
		shown := into[token](t, o.want(200, o.do("GET", "/admin/tokens/"+tokens.ID(one), "")))
		if want := (token{true, tokens.ID(one), "job", "a b", ""}); shown != want {
			t.Errorf("%+v", shown)
		}
		if inspected := into[token](t, o.want(200, o.do("POST", "/admin/tokens/inspect", `{"token":"`+one+`"}`))); inspected != shown {
			t.Errorf("%+v", inspected)
		}
		if got := into[token](t, o.want(200, o.do("DELETE", "/admin/tokens/"+tokens.ID(one), ""))); got.Active || s.Active("job", secret, one) {
			t.Errorf("%+v", got)
		}
		if got := into[token](t, o.want(200, o.do("POST", "/admin/tokens/revoke", `{"token":"`+two+`"}`))); got.Active || s.Active("job", secret, two) {
			t.Errorf("%+v", got)
		}
		o.want(404, o.do("DELETE", "/admin/tokens/"+tokens.ID(one), ""))
		o.want(404, o.do("POST", "/admin/tokens/inspect", `{"token":"`+two+`"}`))
		o.want(404, o.do("POST", "/admin/tokens/inspect", `{"token":"not a token"}`))

		s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'job'")
		if got := into[token](t, o.do("GET", "/admin/tokens/"+tokens.ID(three), "")); got.Active || got.Reason != "client_disabled" {
			t.Errorf("%+v", got)
		}
		if listed := o.want(200, o.do("GET", "/admin/clients/job/tokens", "")); listed.Body != `{"tokens":[],"next":null}`+"\n" {
			t.Errorf("of a disabled client: %s", listed.Body)
		}
		s.Exec("UPDATE oauth_client SET disabled_at = NULL WHERE client_id = 'job'")
		if listed := o.want(200, o.do("GET", "/admin/clients/job/tokens", "")); !strings.Contains(listed.Body, tokens.ID(three)) || strings.Contains(listed.Body, tokens.ID(two)) {
			t.Errorf("%s", listed.Body)
		}
		if got := o.ended(o.do("DELETE", "/admin/clients/job/tokens", "")); got.Removed != 1 || s.Active("job", secret, three) {
			t.Errorf("%+v", got)
		}
		o.want(404, o.do("DELETE", "/admin/clients/nobody/tokens", ""))
		o.want(404, o.do("GET", "/admin/clients/nobody/tokens", ""))

		last := s.Token("job", secret)
		all := o.do("DELETE", "/admin/tokens?confirm=all", "")
		o.want(401, o.do("GET", "/admin/stats", "")) // the operator's token has ended, too
		o.token = s.Token("ops-chit-admin", secret)
		if got := o.ended(all); got.Removed < 2 || s.Active("job", secret, last) {
			t.Errorf("%+v", got)
		}
		if log := s.Log(); strings.Contains(log, one) || strings.Contains(log, two) {
			t.Error("a token is in the log")
		}
	})
}

// Page by page, every token and every client is listed once.
func TestPages(t *testing.T) {
	s := apptest.Real(t)
	o := employ(t, s, "chit:admin")
	for i := range 25 {
		s.Exec(fmt.Sprintf("INSERT INTO oauth_client (client_id, client_name, client_secret_hash) VALUES ('job %02d/%%', 'Nr %02d', '%s')", i, i, models.HashSecret(secret)))
	}
	var names []string
	after := ""
	for {
		page := into[struct {
			Clients []client
			Next    *string
		}](t, o.want(200, o.do("GET", "/admin/clients?query=JOB&limit=10&after="+url.QueryEscape(after), "")))
		for _, found := range page.Clients {
			names = append(names, found.Name)
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	if len(names) != 25 || names[0] != "Nr 00" || names[24] != "Nr 24" {
		t.Errorf("%q", names)
	}

	id := "job 03/%"
	listed := map[string]bool{}
	for range 25 {
		listed[tokens.ID(s.Token(id, secret))] = false
	}
	after, pages := "", 0
	for {
		page := into[struct {
			Tokens []token
			Next   *string
		}](t, o.want(200, o.do("GET", "/admin/clients/"+url.PathEscape(id)+"/tokens?limit=10&after="+url.QueryEscape(after), "")))
		for _, found := range page.Tokens {
			if seen, is := listed[found.ID]; seen || !is {
				t.Errorf("%s: %t, %t", found.ID, seen, is)
			}
			listed[found.ID] = true
		}
		pages++
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	for found, seen := range listed {
		if !seen {
			t.Errorf("%s is missing", found)
		}
	}
	if pages != 3 {
		t.Errorf("%d pages", pages)
	}
	request, _ := http.NewRequest("GET", s.OpsURL+"/admin/clients/"+url.PathEscape(id)+"/tokens?after=x", nil)
	request.Header.Set("Authorization", "Bearer "+o.token)
	if got := apptest.Send(t, request); got.Status != 400 || wrongFields(t, got) != "after" {
		t.Errorf("a made-up cursor: %d %s", got.Status, got.Body)
	}
}

// An id of a client may have any visible character.
func TestOddClientIDs(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	for _, id := range []string{"a/b", "a%41", "..", ".", "a?b#c", "tokens", "%2F", `"\`, "a+b", "a;b"} {
		made := o.want(201, o.do("POST", "/admin/clients", fmt.Sprintf(`{"client_id":%q}`, id)))
		path := strings.ReplaceAll(url.PathEscape(id), ".", "%2E")
		if got := into[client](t, o.want(200, o.do("GET", "/admin/clients/"+path, ""))); got.ID != id {
			t.Errorf("%q is %q at %s", id, got.ID, path)
		}
		if want := "/admin/clients/" + url.PathEscape(id); made.Header.Get("Location") != want {
			t.Errorf("Location %s, want %s", made.Header.Get("Location"), want)
		}
		o.ended(o.do("DELETE", "/admin/clients/"+path, ""))
	}
}

// stats are the statistics as the API shows them.
type stats struct {
	Minutes []struct{ Issued, Introspected, Refused int }
	Top     []struct {
		ID                   string `json:"client_id"`
		Issued, Introspected int
	} `json:"top_clients"`
	LastUse     map[string]int `json:"last_use"`
	Revocations []struct {
		ClientID string `json:"client_id"`
		Removed  int    `json:"keys_removed"`
		EndedAt  *int64 `json:"ended_at"`
	}
}

func TestStats(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('job', '" + models.HashSecret(secret) + "')")
	for range 3 {
		s.Active("job", secret, s.Token("job", secret))
	}
	s.Post("/token", "job", "wrong", "grant_type=client_credentials")
	o.ended(o.do("DELETE", "/admin/clients/job/tokens", ""))
	got := into[stats](t, o.want(200, o.do("GET", "/admin/stats", "")))
	issued, introspected, refused := 0, 0, 0
	for _, minute := range got.Minutes {
		issued, introspected, refused = issued+minute.Issued, introspected+minute.Introspected, refused+minute.Refused
	}
	if issued != 4 || introspected != 3 || refused != 1 {
		t.Errorf("%+v", got.Minutes)
	}
	if len(got.Top) != 2 || got.Top[0].ID != "job" || got.Top[0].Issued != 3 || got.Top[0].Introspected != 3 {
		t.Errorf("%+v", got.Top)
	}
	if got.LastUse["never"] != 4 {
		t.Errorf("%+v", got.LastUse)
	}
	if len(got.Revocations) != 1 || got.Revocations[0].ClientID != "job" || got.Revocations[0].Removed != 3 || got.Revocations[0].EndedAt == nil {
		t.Errorf("%+v", got.Revocations)
	}
}

// On a database without the last steps of the schema, the API says what to do.
func TestWithoutTheLastUse(t *testing.T) {
	s := apptest.Real(t)
	o := employ(t, s, "chit:admin")
	apptest.Psql(t, s.DatabaseURL, "DROP TABLE oauth_client_use CASCADE")
	for _, path := range []string{"/admin/clients", "/admin/clients/ops-chit-admin", "/admin/stats"} {
		if got := o.want(500, o.do("GET", path, "")); !strings.Contains(got.Body, "run `chit migrate up`") {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
}
