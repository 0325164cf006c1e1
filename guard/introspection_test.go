package guard

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A token that is bound in a way that the guard cannot check is not a bearer token. aud has both of its forms.
func TestBindingsOfAnotherServer(t *testing.T) {
	f := newFake(t)
	g := f.guard(func(c *Config) { c.Resource = "https://api.example" })
	for _, row := range []struct {
		members string
		want    error
	}{
		{`"cnf":{}`, nil},
		{`"cnf":null`, nil},
		{`"cnf":{"jkt":"x"}`, ErrBound},
		{`"cnf":{"x5t#S256":"x"}`, ErrBound},
		{`"cnf":{"jwk":{"kty":"EC"}}`, ErrUnknownBinding},
		{`"cnf":{"kid":"x"}`, ErrUnknownBinding},
		{`"cnf":{"jkt":""}`, ErrUnknownBinding},
		{`"cnf":{"jkt":null}`, ErrUnknownBinding},
		{`"cnf":{"jkt":["x"]}`, ErrUnknownBinding},
		{`"cnf":{"jkt":"x","future":"y"}`, ErrUnknownBinding},
		{`"token_type":"DPoP"`, ErrUnknownBinding},
		{`"token_type":"Bearer"`, nil},
		{`"aud":"https://api.example"`, nil},
		{`"aud":["https://other.example","https://api.example"]`, nil},
		{`"aud":[]`, nil},
		{`"aud":null`, nil},
		{`"aud":"https://other.example"`, ErrOtherAudience},
		{`"aud":["https://other.example"]`, ErrOtherAudience},
		{`"aud":7`, ErrUnavailable},
		{`"cnf":"x"`, ErrUnavailable},
	} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"active":true,"client_id":"a","exp":%d,%s}`, time.Now().Add(time.Hour).Unix(), row.members)
		})
		if token, err := g.Check(t.Context(), mint()); !is(err, row.want) || err != nil && token.ClientID != "" {
			t.Errorf("%s: %v %v", row.members, token, err)
		}
	}
}
