package models_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"chit/models"
)

func TestIsResource(t *testing.T) {
	for text, want := range map[string]bool{
		"https://api.example.com":                true,
		"https://api.example.com/a/b%20c?tenant": true,
		"http://127.0.0.1:8080/":                 true,
		"https://[::1]/":                         true,
		"urn:example:invoices":                   true,
		"spiffe://example.org/invoices":          true,
		"":                                       false,
		"invoices":                               false,
		"/invoices":                              false,
		"//api.example.com":                      false,
		"https:":                                 false,
		"https:///invoices":                      false,
		"https:invoices":                         false,
		"https://api.example.com/#":              false,
		"https://api.example.com/#part":          false,
		"https://api.example.com/a b":            false,
		"https://api.example.com/\n":             false,
		"https://api.example.com/\"":             false,
		"https://bücher.example":                 false,
		"https://api.example.com/%zz":            false,
		":":                                      false,
	} {
		if got := models.IsResource(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestGrantAudience(t *testing.T) {
	const one, two = "https://one.example", "https://two.example/api"
	for _, row := range []struct {
		name      string
		allowed   models.Text
		resources []string
		want      models.Audience
		err       error
	}{
		{"neither allowed nor named", "", nil, "", nil},
		{"written on lines", one + "\n" + two + "\n", []string{two}, two, nil},
		{"all that are allowed, if none is named", " " + two + "  " + one + " " + two, nil, two + " " + one, nil},
		{"one", one + " " + two, []string{two}, two, nil},
		{"in the order of the request, without repeats", one + " " + two, []string{two, one, two}, two + " " + one, nil},
		{"none is allowed", "", []string{one}, "", models.ErrResourceNotAllowed},
		{"one of them is not allowed", one, []string{one, two}, "", models.ErrResourceNotAllowed},
		{"a longer one", one, []string{one + "/"}, "", models.ErrResourceNotAllowed},
		{"in other letters", one, []string{"https://One.example"}, "", models.ErrResourceNotAllowed},
		{"two in one parameter", one + " " + two, []string{one + " " + two}, "", models.ErrResourceMalformed},
		{"with a fragment", one + "#x", []string{one + "#x"}, "", models.ErrResourceMalformed},
		{"relative", "api", []string{"api"}, "", models.ErrResourceMalformed},
	} {
		client := models.Client{GrantTypes: models.ClientCredentials, AllowedResources: row.allowed}
		grant, err := client.Grant(models.TokenRequest{Resources: row.resources}, time.Hour)
		if grant.Audience != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: %q %v", row.name, grant.Audience, err)
		}
	}
}

func TestAudienceInJSON(t *testing.T) {
	for audience, want := range map[models.Audience]string{
		"https://a.example":                      `"https://a.example"`,
		"https://a.example urn:example:invoices": `["https://a.example","urn:example:invoices"]`,
	} {
		text, err := json.Marshal(audience)
		var read models.Audience
		if err != nil || string(text) != want || json.Unmarshal(text, &read) != nil || read != audience {
			t.Errorf("%s: %s %v, read as %s", audience, text, err, read)
		}
	}
	var read models.Audience
	if err := json.Unmarshal([]byte(`{}`), &read); err == nil {
		t.Errorf("an object is %q", read)
	}
}
