package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// client is a client as the API shows it.
type client struct {
	ID         string   `json:"client_id"`
	Secret     string   `json:"client_secret"`
	Name       string   `json:"client_name"`
	Scope      string   `json:"scope"`
	GrantTypes []string `json:"grant_types"`
	Resource   bool     `json:"is_resource_server"`
	TTL        *int64   `json:"token_ttl_seconds"`
	DisabledAt *int64   `json:"disabled_at"`
	Revoked    *int64   `json:"tokens_revoked_before"`
	LastUsed   *int64   `json:"last_used_at"`
	Retired    []struct {
		ExpiresAt int64 `json:"expires_at"`
	} `json:"retired_secrets"`
	Revocation *revocation `json:"revocation"`
}

type revocation struct {
	Before   int64 `json:"tokens_revoked_before"`
	Removed  int   `json:"keys_removed"`
	Finished bool  `json:"finished"`
}

// A client from its registration to its end.
func TestClientsByTheAPI(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		o := employ(t, s, "chit:admin")
		made := into[client](t, o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job","client_name":"Job","scope":"b  a b","token_ttl_seconds":900}`)))
		if made.Scope != "b a" || made.Secret == "" || *made.TTL != 900 || made.GrantTypes[0] != "client_credentials" || made.LastUsed != nil {
			t.Errorf("%+v", made)
		}
		token := s.Token("job", made.Secret)
		shown := o.want(200, o.do("GET", "/admin/clients/job", ""))
		if got := into[client](t, shown); got.Secret != "" || got.Name != "Job" || got.DisabledAt != nil {
			t.Errorf("%s", shown.Body)
		}

		changed := into[client](t, o.want(200, o.do("PATCH", "/admin/clients/job", `{"client_name":"New","token_ttl_seconds":null,"is_resource_server":true}`, "Content-Type: application/merge-patch+json")))
		if changed.Name != "New" || changed.TTL != nil || !changed.Resource || changed.Scope != "b a" {
			t.Errorf("%+v", changed)
		}
		rotated := into[client](t, o.want(200, o.do("POST", "/admin/clients/job/secret", "")))
		if rotated.Secret == made.Secret || len(rotated.Retired) != 1 || rotated.Revocation != nil || s.Token("job", made.Secret) == "" || s.Token("job", rotated.Secret) == "" {
			t.Errorf("%+v", rotated)
		}
		disabled := o.do("POST", "/admin/clients/job/disable", "")
		if got := o.ended(disabled); got.Removed != 3 || into[client](t, disabled).DisabledAt == nil {
			t.Errorf("%s, %+v", disabled.Body, got)
		}
		enabled := into[client](t, o.want(200, o.do("POST", "/admin/clients/job/enable", "")))
		if enabled.DisabledAt != nil || enabled.Revoked == nil || s.Active("job", rotated.Secret, token) {
			t.Errorf("%+v", enabled)
		}
		s.Token("job", rotated.Secret)
		if gone := o.ended(o.do("DELETE", "/admin/clients/job", "")); gone.Removed != 1 {
			t.Errorf("%+v", gone)
		}
		for _, method := range []string{"GET", "DELETE"} {
			o.want(404, o.do(method, "/admin/clients/job", ""))
		}
		if log := s.Log(); strings.Contains(log, made.Secret) || strings.Contains(log, rotated.Secret) || strings.Contains(log, o.token) {
			t.Error("a secret is in the log")
		}
		for _, event := range []string{"client_created", "client_updated", "client_secret_rotated", "client_disabled", "client_enabled", "client_deleted"} {
			if !strings.Contains(s.Log(), `"event":"`+event+`","operator":"ops-chit-admin","request_id":"`) {
				t.Errorf("%s is not in the audit trail", event)
			}
		}
	})
}

// A secret that has leaked ends at once, with all tokens.
func TestRotationAfterALeak(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		o := employ(t, s, "chit:admin")
		made := into[client](t, o.do("POST", "/admin/clients", `{"client_id":"leaky"}`))
		token := s.Token("leaky", made.Secret)
		rotated := into[client](t, o.do("POST", "/admin/clients/leaky/secret", `{"revoke_tokens":true}`))
		if len(rotated.Retired) != 0 || rotated.Revocation == nil || rotated.Revoked == nil {
			t.Fatalf("%+v", rotated)
		}
		if s.Active("leaky", rotated.Secret, token) {
			t.Error("the token is active")
		}
		if got := s.Post("/token", "leaky", made.Secret, "grant_type=client_credentials"); got.Status != http.StatusUnauthorized {
			t.Errorf("the old secret: %d", got.Status)
		}
		if overlapping := into[client](t, o.do("POST", "/admin/clients/leaky/secret", `{"revoke_tokens":true,"overlap_seconds":60}`)); len(overlapping.Retired) != 1 {
			t.Errorf("%+v", overlapping)
		}
	})
}

// A change of a client that was changed meanwhile is refused.
func TestConditionalChanges(t *testing.T) { apptest.Each(t, testConditionalChanges) }

func testConditionalChanges(t *testing.T, s *apptest.Server) {
	o := employ(t, s, "chit:admin")
	first := o.do("POST", "/admin/clients", `{"client_id":"shared"}`).Header.Get("ETag")
	second := o.want(200, o.do("PATCH", "/admin/clients/shared", `{"client_name":"A"}`, "If-Match: "+first)).Header.Get("ETag")
	if first == second || o.do("GET", "/admin/clients/shared", "").Header.Get("ETag") != second {
		t.Errorf("%s, %s", first, second)
	}
	for _, change := range [][3]string{
		{"PATCH", "", `{"client_name":"B"}`}, {"DELETE", "", ""}, {"POST", "/secret", ""}, {"POST", "/disable", ""}, {"POST", "/enable", ""}, {"DELETE", "/tokens", ""},
	} {
		for _, stale := range []string{first, "W/" + second, `"x"`} {
			o.want(412, o.do(change[0], "/admin/clients/shared"+change[1], change[2], "If-Match: "+stale))
		}
	}
	if got := into[client](t, o.do("GET", "/admin/clients/shared", "")); got.Name != "A" || got.DisabledAt != nil || got.Revoked != nil {
		t.Errorf("%+v", got)
	}
	o.want(200, o.do("PATCH", "/admin/clients/shared", `{"client_name":"C"}`, `If-Match: "x", `+second))
	o.want(200, o.do("PATCH", "/admin/clients/shared", `{"client_name":"D"}`, "If-Match: *"))
	o.want(404, o.do("PATCH", "/admin/clients/nobody", `{"client_name":"D"}`, "If-Match: *"))
	tag := o.do("GET", "/admin/clients/shared", "").Header.Get("ETag")
	for _, change := range [][3]string{
		{"PATCH", "", `{"client_name":"E"}`}, {"POST", "/secret", ""}, {"POST", "/disable", ""}, {"POST", "/enable", ""}, {"DELETE", "/tokens", ""},
	} { // the ETag of each answer is that of the client
		answer := o.do(change[0], "/admin/clients/shared"+change[1], change[2], "If-Match: "+tag)
		o.want(200, answer)
		tag = answer.Header.Get("ETag")
	}
	o.want(200, o.do("DELETE", "/admin/clients/shared", "", "If-Match: "+tag))
}

// Every wrong field is named, and nothing is changed.
func TestWrongFieldsAreNamed(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job"}`))
	for _, row := range []struct{ name, method, path, body, fields string }{
		{"values", "POST", "/admin/clients", `{"client_id":"a:b","scope":"\"","grant_types":["password"],"token_ttl_seconds":-1}`, "client_id scope grant_types token_ttl_seconds"},
		{"an empty id", "POST", "/admin/clients", `{"client_id":""}`, "client_id"},
		{"types", "POST", "/admin/clients", `{"client_id":1,"client_name":null,"scope":[],"grant_types":"x","is_resource_server":"true","token_ttl_seconds":1.5}`, "client_name scope grant_types is_resource_server token_ttl_seconds client_id"},
		{"unknown", "POST", "/admin/clients", `{"Client_ID":"x","secret":"y"}`, "Client_ID secret"},
		{"public", "POST", "/admin/clients", `{"is_public":true}`, "is_public"},
		{"read-only", "PATCH", "/admin/clients/job", `{"client_id":"x","disabled_at":null,"created_at":1,"client_secret":"x"}`, "client_id disabled_at created_at client_secret"},
		{"a lifetime of 0", "PATCH", "/admin/clients/job", `{"token_ttl_seconds":0}`, "token_ttl_seconds"},
		{"rotation", "POST", "/admin/clients/job/secret", `{"overlap_seconds":-1,"revoke_tokens":1,"overlap":"24h"}`, "overlap revoke_tokens overlap_seconds"},
		{"too long an overlap", "POST", "/admin/clients/job/secret", `{"overlap_seconds":9223372036854775807}`, "overlap_seconds"},
		{"no token", "POST", "/admin/tokens/inspect", `{}`, "token"},
		{"parameters", "GET", "/admin/clients?limit=0", "", "limit"},
		{"too large a page", "GET", "/admin/clients/job/tokens?limit=501", "", "limit"},
		{"not confirmed", "DELETE", "/admin/tokens", "", "confirm"},
		{"confirmed otherwise", "DELETE", "/admin/tokens?confirm=yes", "", "confirm"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := o.as(t)
			answer := o.want(400, o.do(row.method, row.path, row.body))
			if got := wrongFields(t, answer); got != row.fields {
				t.Errorf("%s, want %s: %s", got, row.fields, answer.Body)
			}
		})
	}
	if listed := o.do("GET", "/admin/clients?query=job", ""); !strings.Contains(listed.Body, `"next":null`) || strings.Count(listed.Body, "client_id") != 1 {
		t.Errorf("%s", listed.Body)
	}
}

// wrongFields returns the fields that a problem names.
func wrongFields(t *testing.T, answer apptest.Answer) string {
	t.Helper()
	problem := into[struct {
		Errors []struct{ Field, Detail string }
	}](t, answer)
	var fields []string
	for _, wrong := range problem.Errors {
		if wrong.Detail == "" {
			t.Errorf("no detail for %s", wrong.Field)
		}
		fields = append(fields, wrong.Field)
	}
	return strings.Join(fields, " ")
}

// If somebody changes a client while it is being deleted, the answer says what was done and what was not.
func TestDeletionOfAClientThatChanges(t *testing.T) {
	s := apptest.Real(t)
	o := employ(t, s, "chit:admin")
	for range 10 { // on a busy machine the change may come after the deletion
		seen := o.want(201, o.do("POST", "/admin/clients", `{"client_id":"shared"}`)).Header.Get("ETag")
		deleted := make(chan apptest.Answer, 1)
		go func() { deleted <- o.do("DELETE", "/admin/clients/shared", "", "If-Match: "+seen) }()
		apptest.Eventually(t, 5*time.Second, "it is disabled", func() bool {
			return !strings.Contains(o.do("GET", "/admin/clients/shared", "").Body, `"disabled_at":null`)
		})
		changed := o.do("PATCH", "/admin/clients/shared", `{"client_name":"wanted"}`)
		answer := <-deleted
		if changed.Status == http.StatusNotFound && answer.Status < 300 {
			continue
		}
		if o.want(409, answer); !strings.Contains(answer.Body, "the client is disabled and its tokens are inactive, but it is not deleted") {
			t.Errorf("%s", answer.Body)
		}
		if got := into[client](t, o.want(200, o.do("GET", "/admin/clients/shared", ""))); got.Name != "wanted" || got.DisabledAt == nil {
			t.Errorf("%+v", got)
		}
		return
	}
	t.Error("the change was always too late")
}
