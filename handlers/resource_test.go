package handlers_test

import (
	"testing"
	"time"

	"chit/app/apptest"
)

const (
	invoices = "https://invoices.example/v1"
	payments = "https://payments.example"
)

// patience is how long a change may take that is in force within a second.
const patience = 5 * time.Second

// registerResources adds a client with two resource servers, and three that can introspect.
func registerResources(s *apptest.Server) {
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, allowed_resources) VALUES ('job', '` + secretHash + `', '` + invoices + ` ` + payments + `')`)
	for id, resource := range map[string]string{"invoices": "'" + invoices + "'", "payments": "'urn:payments " + payments + "'", "any": "NULL"} {
		s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server, resource) VALUES ('` + id + `', '` + secretHash + `', true, ` + resource + `)`)
	}
}

func TestResourceIndicators(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		registerResources(s)
		for _, row := range []struct {
			name, user, form string
			code             string // the error, if it is refused
			aud              string // in JSON
			seenBy           []string
		}{
			{"none named", "job", "", "", `["` + invoices + `","` + payments + `"]`, []string{"invoices", "payments", "any", "job"}},
			{"one", "job", "&resource=" + invoices, "", `"` + invoices + `"`, []string{"invoices", "any", "job"}},
			{"the other", "job", "&resource=" + payments, "", `"` + payments + `"`, []string{"payments", "any", "job"}},
			{"both", "job", "&resource=" + payments + "&resource=" + invoices, "", `["` + payments + `","` + invoices + `"]`, []string{"invoices", "payments", "any", "job"}},
			{"one of them twice, and an empty one", "job", "&resource=" + payments + "&resource=&resource=" + payments, "", `"` + payments + `"`, []string{"payments", "any", "job"}},
			{"for a client without any", "alice", "", "", "", []string{"invoices", "payments", "any", "alice"}},
			{"one that is not allowed", "job", "&resource=https%3A%2F%2Fother.example", "invalid_target", "", nil},
			{"one of two is not allowed", "job", "&resource=" + invoices + "&resource=https%3A%2F%2Fother.example", "invalid_target", "", nil},
			{"by a client without any", "alice", "&resource=" + invoices, "invalid_target", "", nil},
			{"with a fragment", "job", "&resource=" + invoices + "%23x", "invalid_target", "", nil},
			{"relative", "job", "&resource=%2Fv1", "invalid_target", "", nil},
			{"another parameter twice", "job", "&resource=" + invoices + "&scope=a&scope=b", "invalid_request", "", nil},
		} {
			answer := s.Post("/token", row.user, secret, "grant_type=client_credentials"+row.form)
			if row.code != "" {
				if answer.Status != 400 || answer.Text("error") != row.code {
					t.Errorf("%s: %d %s", row.name, answer.Status, answer.Body)
				}
				continue
			}
			if answer.Status != 200 || answer.JSON()["aud"] != nil {
				t.Fatalf("%s: %d %s", row.name, answer.Status, answer.Body)
			}
			seen := map[string]bool{}
			for _, caller := range row.seenBy {
				seen[caller] = true
			}
			for _, caller := range []string{"invoices", "payments", "any", "job", "alice", "bob"} {
				told := s.Post("/introspect", caller, secret, "token="+answer.Text("access_token"))
				if told.JSON()["active"] != seen[caller] {
					t.Errorf("%s: %s is told %s", row.name, caller, told.Body)
				}
				if got := told.Member("aud"); seen[caller] && got != row.aud {
					t.Errorf("%s: aud %s, want %s", row.name, got, row.aud)
				}
			}
		}
	})
}

// Hydra issue 3441: the audience of client credentials was accepted, and was missing in the introspection.
func TestHydraIssue3441AudienceOfClientCredentials(t *testing.T) {
	s := apptest.Embedded(t)
	registerResources(s)
	answer := s.Post("/token", "job", secret, "grant_type=client_credentials&resource="+payments)
	if told := s.Post("/introspect", "payments", secret, "token="+answer.Text("access_token")); told.Text("aud") != payments {
		t.Errorf("%s", told.Body)
	}
}

// A change of either column by SQL is in force within a second, for tokens that were issued before, too.
func TestResourcesBySQL(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		registerResources(s)
		token := s.Token("job", secret)
		active := func(want bool) func() bool {
			return func() bool { return s.Post("/introspect", "invoices", secret, "token="+token).JSON()["active"] == want }
		}
		if !active(true)() {
			t.Fatal("at first it is inactive")
		}
		s.Exec("UPDATE oauth_client SET resource = 'https://other.example' WHERE client_id = 'invoices'")
		apptest.Eventually(t, patience, "the token is for others", active(false))
		s.Exec("UPDATE oauth_client SET resource = NULL WHERE client_id = 'invoices'")
		apptest.Eventually(t, patience, "the resource server sees every token", active(true))
		s.Exec("UPDATE oauth_client SET allowed_resources = NULL WHERE client_id = 'job'")
		apptest.Eventually(t, patience, "the client may name no resource", func() bool {
			return s.Post("/token", "job", secret, "grant_type=client_credentials&resource="+invoices).Text("error") == "invalid_target"
		})
		if token := s.Token("job", secret); s.Post("/introspect", "invoices", secret, "token="+token).Member("aud") != "" {
			t.Error("a token of a client without allowed_resources has an aud")
		}
	})
}
