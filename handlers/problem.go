package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"chit/models"
)

// problem is an error together with its answer (RFC 6749 §5.2). The client receives the description. The
// cause goes to the log only.
type problem struct {
	status      int
	code        string
	description string
	retryAfter  int // seconds, for a 429
	cause       error
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.description
}

func (p *problem) Unwrap() error { return p.cause }

// because returns a copy of p with a cause for the log.
func (p *problem) because(cause error) *problem {
	caused := *p
	caused.cause = cause
	return &caused
}

func invalidRequest(description string) *problem {
	return &problem{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

func refused(code, description string) *problem {
	return &problem{status: http.StatusBadRequest, code: code, description: description}
}

// Faults of a request that are found before any rule applies.
var (
	errSecretInQuery      = invalidRequest("a client_secret in the query string is refused: it ends up in logs; send it in the Authorization header or in the body")
	errContentType        = invalidRequest("the Content-Type must be application/x-www-form-urlencoded")
	errMalformedBody      = invalidRequest("the body is not well-formed application/x-www-form-urlencoded text in UTF-8")
	errBodyUnreadable     = invalidRequest("the body could not be read to its end")
	errTooManyParameters  = invalidRequest("there are more than 64 parameters")
	errRepeatedParameter  = invalidRequest("a parameter is given more than once")
	errTwoAuthentications = invalidRequest("use one way of client authentication: the Authorization header, client_id and client_secret in the body, or client_assertion")
	errTwoClientIDs       = invalidRequest("the client_id in the body is not that of the Authorization header")
	errGrantTypeMissing   = invalidRequest("grant_type is missing: send grant_type=client_credentials")
	errTokenMissing       = invalidRequest("token is missing")
	errBodyTooLarge       = &problem{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "the body is larger than 64 KiB"}
	errMethodNotAllowed   = &problem{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "this method is not supported here: see the Allow header"}
	errNothingHere        = &problem{status: http.StatusNotFound, code: "not_found", description: "there is nothing at this path"}
	errNotResourceServer  = &problem{status: http.StatusForbidden, code: "unauthorized_client", description: "only a resource server may receive invalidations, and the client is not registered as one (is_resource_server)"}
	errGrantType          = refused("unsupported_grant_type", "the only grant_type here is client_credentials")
)

// problems maps the errors of the rules and of the storage to answers.
var problems = []struct {
	err error
	problem
}{
	{models.ErrAuthenticationFailed, problem{status: http.StatusUnauthorized, code: "invalid_client",
		description: "client authentication failed: unknown client, wrong credentials, or none"}},
	{models.ErrPublicClient, *refused("unauthorized_client", "public clients are refused: this server is for clients that can keep a secret")},
	{models.ErrGrantNotAllowed, *refused("unauthorized_client", "the client is not registered for the grant type client_credentials")},
	{models.ErrScopeNotAllowed, *refused("invalid_scope", "a requested scope is not among those allowed for the client")},
	{models.ErrResourceMalformed, *refused("invalid_target", "a resource must be an absolute URI without a fragment")},
	{models.ErrResourceNotAllowed, *refused("invalid_target", "a requested resource is not among those allowed for the client (allowed_resources)")},
	{models.ErrNoCertificate, *invalidRequest("the client gets certificate-bound tokens only: show its certificate")},
	{models.ErrNoProof, *refused("invalid_dpop_proof", "the client gets DPoP-bound tokens only: send a proof in the header DPoP")},
	{models.ErrForeignToken, *refused("unauthorized_client", "the token was issued to another client")},
	{models.ErrUnavailable, problem{status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
		description: "the server cannot reach its storage: try again in a moment"}},
	{echo.ErrNotFound, *errNothingHere},
	{echo.ErrMethodNotAllowed, *errMethodNotAllowed},
}

// problemOf returns the answer to an error. An error without an entry is a fault of the server.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			return row.because(err)
		}
	}
	unexpected := problem{status: http.StatusInternalServerError, code: "server_error", description: "the server met an unexpected condition"}
	return unexpected.because(err)
}

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = 1

// write answers with the problem as JSON.
func (p *problem) write(c echo.Context) error {
	header := c.Response().Header()
	switch p.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Basic realm="chit"`)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", allowed(c))
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusTooManyRequests:
		header.Set("Retry-After", strconv.Itoa(p.retryAfter))
	case http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close") // the rest of the body is not read
	}
	return answer(c, p.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{p.code, p.description})
}
