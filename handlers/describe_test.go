package handlers_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chit/app/apptest"
)

func TestMetadata(t *testing.T) {
	for issuer, base := range map[string]string{
		"http://localhost:8080":         "http://localhost:8080",
		"https://auth.example.com/m2m/": "https://auth.example.com/m2m",
	} {
		s := apptest.Embedded(t, "--issuer="+issuer)
		answer := s.Get("/.well-known/oauth-authorization-server")
		if issuer != base {
			answer = s.Get("/.well-known/oauth-authorization-server/m2m")
		}
		methods := []any{"client_secret_basic", "client_secret_post", "private_key_jwt"}
		algorithms := []any{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"}
		want := map[string]any{
			"issuer":                                                   issuer,
			"token_endpoint":                                           base + "/token",
			"introspection_endpoint":                                   base + "/introspect",
			"revocation_endpoint":                                      base + "/revoke",
			"invalidation_endpoint":                                    base + "/invalidations",
			"response_types_supported":                                 []any{},
			"grant_types_supported":                                    []any{"client_credentials"},
			"token_endpoint_auth_methods_supported":                    methods,
			"introspection_endpoint_auth_methods_supported":            methods,
			"revocation_endpoint_auth_methods_supported":               methods,
			"token_endpoint_auth_signing_alg_values_supported":         algorithms,
			"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
			"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
			"dpop_signing_alg_values_supported":                        []any{"ES256", "RS256", "PS256", "EdDSA", "Ed25519"},
		}
		if diff := cmp.Diff(want, answer.JSON()); diff != "" || answer.Status != 200 {
			t.Errorf("%s: %d %s", issuer, answer.Status, diff)
		}
	}
}

func TestHealth(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		for path, want := range map[string]map[string]any{
			"/healthz": {"status": "ok"},
			"/readyz":  {"status": "ready", "database": "ok", "redis": "ok"},
		} {
			answer := s.Get(path)
			if diff := cmp.Diff(want, answer.JSON()); diff != "" || answer.Status != 200 {
				t.Errorf("%s: %d %s", path, answer.Status, diff)
			}
			head, err := http.Head(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			head.Body.Close()
			if head.StatusCode != 200 {
				t.Errorf("HEAD %s: %d", path, head.StatusCode)
			}
			if post := s.Post(path, "", "", ""); post.Status != 405 || post.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("POST %s: %d, Allow: %q", path, post.Status, post.Header.Get("Allow"))
			}
		}
	})
}
