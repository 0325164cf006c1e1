package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"chit/guard"
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

// endpoints are the URLs of the endpoints.
type endpoints struct {
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Invalidation  string `json:"invalidation_endpoint"` // of this server, not in the RFC
}

// endpointsAt returns the endpoints below a URL.
func endpointsAt(base string) endpoints {
	base = strings.TrimSuffix(base, "/")
	return endpoints{Token: base + "/token", Introspection: base + "/introspect", Revocation: base + "/revoke", Invalidation: base + "/invalidations"}
}

// metadata describes exactly what the server supports (RFC 8414 §2).
type metadata struct {
	Issuer string `json:"issuer"`
	endpoints
	Aliases                     *endpoints          `json:"mtls_endpoint_aliases,omitempty"` // RFC 8705 §5
	ResponseTypes               []string            `json:"response_types_supported"`
	GrantTypes                  []string            `json:"grant_types_supported"`
	TokenEndpointAuthentication []models.AuthMethod `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuthentication []models.AuthMethod `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuthentication    []models.AuthMethod `json:"revocation_endpoint_auth_methods_supported"`
	TokenEndpointAlgorithms     []keys.Algorithm    `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgorithms     []keys.Algorithm    `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAlgorithms        []keys.Algorithm    `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	ProofAlgorithms             []string            `json:"dpop_signing_alg_values_supported"`                    // RFC 9449 §5.1
	CertificateBound            bool                `json:"tls_client_certificate_bound_access_tokens,omitempty"` // RFC 8705 §3.3
}

// describe is the metadata endpoint (RFC 8414 §3).
func (a *API) describe(c echo.Context) error {
	described := metadata{
		Issuer:                      a.Issuer,
		endpoints:                   endpointsAt(a.Issuer),
		ResponseTypes:               []string{},
		GrantTypes:                  []string{models.ClientCredentials},
		TokenEndpointAuthentication: a.AuthMethods,
		IntrospectionAuthentication: a.AuthMethods,
		RevocationAuthentication:    a.AuthMethods,
		TokenEndpointAlgorithms:     keys.Algorithms,
		IntrospectionAlgorithms:     keys.Algorithms,
		RevocationAlgorithms:        keys.Algorithms,
		ProofAlgorithms:             guard.ProofAlgorithms,
		CertificateBound:            slices.Contains(a.AuthMethods, models.SelfSignedTLS), // certificates reach this server
	}
	if a.MTLSBase != "" {
		aliases := endpointsAt(a.MTLSBase)
		described.Aliases = &aliases
	}
	return answer(c, http.StatusOK, described)
}
