package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"chit/keys"
	"chit/models"
)

const metadataPath = "/.well-known/oauth-authorization-server"

// issuerPath returns the path that follows metadataPath for an issuer with a path (RFC 8414 §3.1).
func issuerPath(issuer string) string {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(parsed.Path, "/")
}

// metadata describes exactly what the server supports (RFC 8414 §2).
type metadata struct {
	Issuer                      string              `json:"issuer"`
	TokenEndpoint               string              `json:"token_endpoint"`
	IntrospectionEndpoint       string              `json:"introspection_endpoint"`
	RevocationEndpoint          string              `json:"revocation_endpoint"`
	InvalidationEndpoint        string              `json:"invalidation_endpoint"` // of this server, not in the RFC
	ResponseTypes               []string            `json:"response_types_supported"`
	GrantTypes                  []string            `json:"grant_types_supported"`
	TokenEndpointAuthentication []models.AuthMethod `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuthentication []models.AuthMethod `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuthentication    []models.AuthMethod `json:"revocation_endpoint_auth_methods_supported"`
	TokenEndpointAlgorithms     []keys.Algorithm    `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgorithms     []keys.Algorithm    `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAlgorithms        []keys.Algorithm    `json:"revocation_endpoint_auth_signing_alg_values_supported"`
}

// describe is the metadata endpoint (RFC 8414 §3).
func (a *API) describe(c echo.Context) error {
	base := strings.TrimSuffix(a.Issuer, "/")
	authentication := []models.AuthMethod{models.SecretBasic, models.SecretPost, models.PrivateKeyJWT}
	return answer(c, http.StatusOK, metadata{
		Issuer:                      a.Issuer,
		TokenEndpoint:               base + "/token",
		IntrospectionEndpoint:       base + "/introspect",
		RevocationEndpoint:          base + "/revoke",
		InvalidationEndpoint:        base + "/invalidations",
		ResponseTypes:               []string{},
		GrantTypes:                  []string{models.ClientCredentials},
		TokenEndpointAuthentication: authentication,
		IntrospectionAuthentication: authentication,
		RevocationAuthentication:    authentication,
		TokenEndpointAlgorithms:     keys.Algorithms,
		IntrospectionAlgorithms:     keys.Algorithms,
		RevocationAlgorithms:        keys.Algorithms,
	})
}
