package app_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"chit/app/apptest"
	"chit/models"
)

// hardSecret and hardID have another meaning if they are read as form-encoded (RFC 6749 §2.3.1).
const (
	hardID     = "odd id+%41"
	hardSecret = "p@ss:w%rd+ &=é"
)

var authStyles = map[string]oauth2.AuthStyle{
	"in the header":  oauth2.AuthStyleInHeader,
	"in the body":    oauth2.AuthStyleInParams,
	"found by trial": oauth2.AuthStyleAutoDetect,
}

func TestGoOAuth2ClientGetsTokens(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		t.Parallel()
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + hardID + "', '" + models.HashSecret(hardSecret) + "', 'read write')")
		for name, style := range authStyles {
			config := clientcredentials.Config{ClientID: hardID, ClientSecret: hardSecret, TokenURL: s.URL + "/oauth2/token", AuthStyle: style}
			t.Run(name, func(t *testing.T) {
				token, err := config.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if token.Type() != "Bearer" || token.RefreshToken != "" || token.Extra("scope") != "read write" || time.Until(token.Expiry) < 59*time.Minute {
					t.Errorf("%+v, scope %v", token, token.Extra("scope"))
				}
				if !s.Active(hardID, hardSecret, token.AccessToken) {
					t.Error("the token is inactive")
				}
			})
			t.Run(name+", with a scope", func(t *testing.T) {
				config.Scopes = []string{"write"}
				token, err := config.Token(t.Context())
				if err != nil || token.Extra("scope") != "write" {
					t.Errorf("%v, %v", token, err)
				}
			})
		}
	})
}

func TestGoOAuth2ClientLearnsWhyItIsRefused(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		t.Parallel()
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + hardID + "', '" + models.HashSecret(hardSecret) + "', 'read')")
		for name, style := range authStyles {
			for _, row := range []struct {
				name, secret, scope string
				status              int
				code                string
			}{
				{"wrong secret", hardSecret + "x", "read", http.StatusUnauthorized, "invalid_client"},
				{"scope not allowed", hardSecret, "admin", http.StatusBadRequest, "invalid_scope"},
			} {
				t.Run(row.name+" "+name, func(t *testing.T) {
					config := clientcredentials.Config{ClientID: hardID, ClientSecret: row.secret, TokenURL: s.URL + "/token", AuthStyle: style, Scopes: []string{row.scope}}
					_, err := config.Token(t.Context())
					refusal := new(oauth2.RetrieveError)
					if !errors.As(err, &refusal) {
						t.Fatal(err)
					}
					if refusal.ErrorCode != row.code || refusal.Response.StatusCode != row.status || refusal.ErrorDescription == "" {
						t.Errorf("%d %s: %q", refusal.Response.StatusCode, refusal.ErrorCode, refusal.ErrorDescription)
					}
				})
			}
		}
	})
}

// A client of the library uses its token as the server says, and gets the next one in time.
func TestGoOAuth2ClientReusesItsToken(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	config := clientcredentials.Config{ClientID: demo, ClientSecret: demoSecret, TokenURL: s.URL + "/token"}
	source := config.TokenSource(t.Context())
	var tokens []string
	for range 3 {
		token, err := source.Token()
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token.AccessToken)
	}
	if len(slices.Compact(tokens)) != 1 {
		t.Errorf("three calls, tokens %s", strings.Join(tokens, ", "))
	}
}
