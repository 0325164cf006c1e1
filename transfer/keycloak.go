package transfer

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"chit/models"
)

// keycloakRealm is the part of a realm's export that is about clients.
type keycloakRealm struct {
	Realm   string           `json:"realm"`
	Clients []keycloakClient `json:"clients"`
}

type keycloakClient struct {
	ClientID        string            `json:"clientId"`
	Name            string            `json:"name"`
	Protocol        string            `json:"protocol"`
	Enabled         *bool             `json:"enabled"`
	Secret          string            `json:"secret"`
	Authenticator   string            `json:"clientAuthenticatorType"`
	Public          bool              `json:"publicClient"`
	BearerOnly      bool              `json:"bearerOnly"`
	ServiceAccounts bool              `json:"serviceAccountsEnabled"`
	DefaultScopes   []string          `json:"defaultClientScopes"`
	OptionalScopes  []string          `json:"optionalClientScopes"`
	Attributes      map[string]string `json:"attributes"`
}

// keycloakScopes are those of every realm. They are about users, or about what is in a JWT.
var keycloakScopes = []string{
	"acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile", "roles", "service_account", "web-origins",
}

func readKeycloak(content []byte) (entries []Entry, err error) {
	var realm keycloakRealm
	if err := decode(content, &realm); err != nil {
		return nil, err
	}
	if realm.Clients == nil {
		return nil, errors.New(`it has no "clients": export the realm with its clients`)
	}
	for _, client := range realm.Clients {
		entries = append(entries, client.entry())
	}
	return entries, nil
}

func (k keycloakClient) entry() Entry {
	e := Entry{Secret: Needed}
	e.Client.ClientID, e.Client.ClientName, e.Client.GrantTypes = k.ClientID, k.Name, models.ClientCredentials
	switch {
	case k.Protocol != "" && k.Protocol != "openid-connect":
		e.Skip = "its protocol is " + k.Protocol
	case k.Public:
		e.Skip = "it is public: this server is for clients that can keep a secret"
	case k.BearerOnly:
		e.Client.IsResourceServer = true
		e.note("it only checks tokens, so it is a resource server here")
	case !k.ServiceAccounts:
		e.Skip = "it has no service account: it does not use client_credentials"
	}
	if k.Enabled != nil && !*k.Enabled {
		now := time.Now().UTC()
		e.Client.DisabledAt = &now
	}
	if k.Authenticator != "" && k.Authenticator != "client-secret" {
		e.note("it authenticates by %s at Keycloak, and gets a secret here", k.Authenticator)
	}
	switch {
	case k.Secret == "":
		e.note("the export has no secret of it")
	case strings.Trim(k.Secret, "*") == "":
		e.note("the export hides its secret: export with `kc.sh export`, which does not")
	default:
		e.keep(k.Secret)
	}
	e.Client.AllowedScopes = k.scopes(&e)
	if text := k.Attributes["access.token.lifespan"]; text != "" {
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 {
			e.Client.TokenTTLSeconds = &seconds
		} else {
			e.note("its lifetime %q is left out", text)
		}
	}
	e.Client.DPoPBound = k.Attributes["dpop.bound.access.tokens"] == "true"
	e.Client.CertificateBound = k.Attributes["tls.client.certificate.bound.access.tokens"] == "true"
	return e
}

// scopes returns the scopes of the client that somebody has made for the realm.
func (k keycloakClient) scopes(e *Entry) string {
	var kept, left []string
	for _, scope := range slices.Concat(k.DefaultScopes, k.OptionalScopes) {
		if slices.Contains(keycloakScopes, scope) {
			left = append(left, scope)
		} else {
			kept = append(kept, scope)
		}
	}
	if len(left) > 0 && e.Skip == "" {
		e.note("scopes of Keycloak are left out: %s", strings.Join(left, " "))
	}
	return strings.Join(kept, " ")
}
