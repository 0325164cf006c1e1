package models_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"chit/models"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func pointer[T any](value T) *T { return &value }

func TestAuthenticate(t *testing.T) {
	hash := models.HashSecret("right")
	retired := func(expires time.Time) []models.RetiredSecret {
		return []models.RetiredSecret{{ClientID: "c", SecretHash: models.HashSecret("old"), ExpiresAt: expires}}
	}
	for _, row := range []struct {
		name   string
		client *models.Client
		secret string
		want   error
	}{
		{"right secret", &models.Client{ClientSecretHash: hash}, "right", nil},
		{"wrong secret", &models.Client{ClientSecretHash: hash}, "wrong", models.ErrAuthenticationFailed},
		{"no secret", &models.Client{ClientSecretHash: hash}, "", models.ErrAuthenticationFailed},
		{"unknown client", nil, "right", models.ErrAuthenticationFailed},
		{"zero client", &models.Client{}, "", models.ErrAuthenticationFailed},
		{"empty hash opens for no secret", &models.Client{}, "right", models.ErrAuthenticationFailed},
		{"the hash is not the secret", &models.Client{ClientSecretHash: hash}, hash, models.ErrAuthenticationFailed},
		{"hash of the empty secret", &models.Client{ClientSecretHash: models.HashSecret("")}, "", models.ErrAuthenticationFailed},
		{"retired hash of the empty secret", &models.Client{ClientSecretHash: hash, RetiredSecrets: []models.RetiredSecret{{SecretHash: models.HashSecret(""), ExpiresAt: now.Add(time.Second)}}}, "", models.ErrAuthenticationFailed},
		{"hash cut short", &models.Client{ClientSecretHash: hash[:43]}, "right", models.ErrAuthenticationFailed},
		{"hash with a tail", &models.Client{ClientSecretHash: hash + "="}, "right", models.ErrAuthenticationFailed},
		{"disabled", &models.Client{ClientSecretHash: hash, DisabledAt: &now}, "right", models.ErrAuthenticationFailed},
		{"disabled from tomorrow on is disabled", &models.Client{ClientSecretHash: hash, DisabledAt: pointer(now.AddDate(0, 0, 1))}, "right", models.ErrAuthenticationFailed},
		{"retired secret before it expires", &models.Client{ClientSecretHash: hash, RetiredSecrets: retired(now.Add(time.Second))}, "old", nil},
		{"retired secret as it expires", &models.Client{ClientSecretHash: hash, RetiredSecrets: retired(now)}, "old", models.ErrAuthenticationFailed},
		{"current secret beside a retired one", &models.Client{ClientSecretHash: hash, RetiredSecrets: retired(now.Add(time.Second))}, "right", nil},
		{"empty retired hash", &models.Client{RetiredSecrets: []models.RetiredSecret{{ExpiresAt: now.Add(time.Hour)}}}, "", models.ErrAuthenticationFailed},
		{"public client without a secret", &models.Client{IsPublic: true}, "", models.ErrPublicClient},
		{"public client with the secret of its row", &models.Client{IsPublic: true, ClientSecretHash: hash}, "right", models.ErrPublicClient},
		{"public client with another secret", &models.Client{IsPublic: true, ClientSecretHash: hash}, "wrong", models.ErrAuthenticationFailed},
		{"public client, disabled", &models.Client{IsPublic: true, DisabledAt: &now}, "", models.ErrAuthenticationFailed},
		{"secret of any characters", &models.Client{ClientSecretHash: models.HashSecret("pä$$ :%+&=\x00")}, "pä$$ :%+&=\x00", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			retired, err := row.client.Authenticate(models.SecretBasic, row.secret, now)
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if wantRetired := row.want == nil && row.secret == "old"; (retired != nil) != wantRetired {
				t.Errorf("retired secret %v", retired)
			}
		})
	}
}

// The expected value comes from: printf %s my-secret | openssl dgst -sha256 -binary | base64
func TestHashSecretIsBase64OfSHA256(t *testing.T) {
	if got, want := models.HashSecret("my-secret"), "GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGrant(t *testing.T) {
	client := models.Client{ClientID: "c", AllowedScopes: "read write admin", GrantTypes: "client_credentials"}
	for _, row := range []struct {
		name   string
		change func(*models.Client)
		scope  string
		want   string
		err    error
	}{
		{"no scope asked: all that is allowed", nil, "", "read write admin", nil},
		{"blank is no scope", nil, "   ", "read write admin", nil},
		{"one", nil, "write", "write", nil},
		{"in the order requested", nil, "admin read", "admin read", nil},
		{"without repeats", nil, "read read write read", "read write", nil},
		{"spaces do not matter", nil, "  read   write ", "read write", nil},
		{"one that is not allowed", nil, "read delete", "", models.ErrScopeNotAllowed},
		{"case matters", nil, "Read", "", models.ErrScopeNotAllowed},
		{"a part of one", nil, "rea", "", models.ErrScopeNotAllowed},
		{"a tab is no separator", nil, "read\twrite", "", models.ErrScopeNotAllowed},
		{"client without scopes asks for none", func(c *models.Client) { c.AllowedScopes = "" }, "", "", nil},
		{"client without scopes asks for one", func(c *models.Client) { c.AllowedScopes = "" }, "read", "", models.ErrScopeNotAllowed},
		{"allowed scopes written carelessly", func(c *models.Client) { c.AllowedScopes = " read  read write " }, "", "read write", nil},
		{"grant types by commas", func(c *models.Client) { c.GrantTypes = "authorization_code,client_credentials" }, "read", "read", nil},
		{"grant types by commas and spaces", func(c *models.Client) { c.GrantTypes = "refresh_token, client_credentials" }, "read", "read", nil},
		{"another grant type", func(c *models.Client) { c.GrantTypes = "authorization_code" }, "read", "", models.ErrGrantNotAllowed},
		{"a longer grant type", func(c *models.Client) { c.GrantTypes = "client_credentials_x" }, "read", "", models.ErrGrantNotAllowed},
		{"no grant type", func(c *models.Client) { c.GrantTypes = "" }, "read", "", models.ErrGrantNotAllowed},
		{"public", func(c *models.Client) { c.IsPublic = true }, "read", "", models.ErrPublicClient},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := client
			if row.change != nil {
				row.change(&changed)
			}
			grant, err := changed.Grant(models.TokenRequest{Scope: row.scope}, time.Hour)
			if !errors.Is(err, row.err) {
				t.Fatalf("got error %v, want %v", err, row.err)
			}
			if grant.Scope != row.want {
				t.Errorf("granted %q, want %q", grant.Scope, row.want)
			}
		})
	}
}

func TestGrantLifetime(t *testing.T) {
	client := models.Client{GrantTypes: models.ClientCredentials}
	if grant, _ := client.Grant(models.TokenRequest{Scope: ""}, time.Hour); grant.TTL != time.Hour {
		t.Errorf("without one of its own: %v, want the server's hour", grant.TTL)
	}
	client.TokenTTLSeconds = pointer(int64(90))
	if grant, _ := client.Grant(models.TokenRequest{Scope: ""}, time.Hour); grant.TTL != 90*time.Second {
		t.Errorf("with one of its own: %v, want 1m30s", grant.TTL)
	}
}

func TestCheck(t *testing.T) {
	issued := models.AccessToken{ClientID: "c", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	for _, row := range []struct {
		name   string
		issuer *models.Client
		at     time.Time
		want   models.Inactive // empty: active
	}{
		{"as issued", &models.Client{ClientID: "c"}, now, ""},
		{"just before it expires", &models.Client{ClientID: "c"}, now.Add(time.Hour - 1), ""},
		{"as it expires", &models.Client{ClientID: "c"}, now.Add(time.Hour), models.TokenExpired},
		{"client deleted", nil, now, models.TokenOfUnknown},
		{"client disabled", &models.Client{ClientID: "c", DisabledAt: &now}, now, models.TokenOfDisabled},
		{"another client's row", &models.Client{ClientID: "d"}, now, models.TokenOfUnknown},
		{"revoked up to the instant of issue", &models.Client{ClientID: "c", TokensRevokedBefore: &now}, now, models.TokenRevoked},
		{"revoked up to a moment before", &models.Client{ClientID: "c", TokensRevokedBefore: pointer(now.Add(-time.Microsecond))}, now, ""},
		{"revoked for ever", &models.Client{ClientID: "c", TokensRevokedBefore: &models.Infinity}, now, models.TokenRevoked},
		{"revoked up to the beginning of time", &models.Client{ClientID: "c", TokensRevokedBefore: &models.NegativeInfinity}, now, ""},
		{"registered half a minute later, by another clock", &models.Client{ClientID: "c", CreatedAt: now.Add(time.Minute - 1)}, now, ""},
		{"registered anew a minute later", &models.Client{ClientID: "c", CreatedAt: now.Add(time.Minute)}, now, models.TokenOfFormer},
		{"revoked later", &models.Client{ClientID: "c", TokensRevokedBefore: pointer(now.Add(time.Minute))}, now, models.TokenRevoked},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := issued.Check(row.issuer, row.at)
			if active := issued.Active(row.issuer, row.at); active != (row.want == "") || active != (err == nil) {
				t.Errorf("active: %t", active)
			}
			if err != nil && (err != error(row.want) || !errors.Is(err, models.ErrTokenNotFound)) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
	if (models.AccessToken{}).Active(&models.Client{}, now) {
		t.Error("the zero token is active")
	}
}

func TestCanSee(t *testing.T) {
	const one, two, three = "https://one.example", "https://two.example", "https://three.example"
	server := func(id string, resource models.Text) models.Client {
		return models.Client{ClientID: id, IsResourceServer: true, Resource: resource}
	}
	for _, row := range []struct {
		name     string
		caller   models.Client
		audience models.Audience // of a token of the client c
		want     bool
	}{
		{"its own client", models.Client{ClientID: "c"}, "", true},
		{"its own client, whomever it is for", models.Client{ClientID: "c"}, one, true},
		{"another client", models.Client{ClientID: "d"}, "", false},
		{"another client with the identifier of a resource server", models.Client{ClientID: "d", Resource: one}, one, false},
		{"a resource server", server("d", ""), "", true},
		{"a resource server without identifiers", server("d", ""), one, true},
		{"a token for everybody", server("d", one), "", true},
		{"a token for this server", server("d", one), one, true},
		{"a token for this server and another", server("d", two), one + " " + two, true},
		{"a token for one of the server's identifiers", server("d", three+"  "+one), one + " " + two, true},
		{"a token for another server", server("d", one), two, false},
		{"an identifier with the same beginning", server("d", one), one + "/", false},
		{"a server's own token for another server", server("c", one), two, false},
		{"nobody", models.Client{}, "", false},
	} {
		if got := row.caller.CanSee(models.AccessToken{ClientID: "c", Audience: row.audience}); got != row.want {
			t.Errorf("%s: got %t, want %t", row.name, got, row.want)
		}
	}
	if (&models.Client{}).Owns(models.AccessToken{}) {
		t.Error("the zero client owns the zero token")
	}
}

func TestCanBeClientID(t *testing.T) {
	for id, want := range map[string]bool{
		"my-machine-client":      true,
		"größe":                  true,
		strings.Repeat("é", 255): true,
		strings.Repeat("a", 256): false,
		"":                       false,
		"a\x00b":                 false,
		"a\xffb":                 false,
	} {
		if got := models.CanBeClientID(id); got != want {
			t.Errorf("%q: got %t, want %t", id, got, want)
		}
	}
}
