package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"chit/models"
)

// credentials are a client's id and secret. A request may have more than one reading of them.
type credentials struct{ id, secret string }

// endpoint handles a request after client authentication.
type endpoint func(ctx context.Context, x *exchange, client *models.Client, form form) error

// authenticated reads the form, authenticates the client (RFC 6749 §2.3) and calls the endpoint with both.
// The request has one deadline from the end of its body, whatever it waits for.
func (a *API) authenticated(next endpoint) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := c.(*exchange)
		x.oauth = true
		form, err := readParameters(x.Request())
		if err != nil {
			return err
		}
		ctx := a.deadlines.after(x.Request().Context(), a.Timeout)
		readings, err := clientCredentials(x.Request(), form)
		if err != nil {
			return err
		}
		defer x.leave()
		client, err := a.authenticate(ctx, x, readings)
		if err != nil {
			return err
		}
		x.use = a.Usage.Used(client.ClientID, x.started)
		return next(ctx, x, client, form)
	}
}

// authenticate returns the client that one of the readings authenticates. A failed request is counted once,
// with the id of the first reading. A request without credentials is not counted, because it guesses
// nothing.
func (a *API) authenticate(ctx context.Context, x *exchange, readings []credentials) (*models.Client, error) {
	if len(readings) == 0 {
		return nil, models.ErrAuthenticationFailed
	}
	id := readings[0].id
	if wait := a.Failures.Wait(ctx, x.RealIP(), id); wait > 0 {
		return nil, throttled(wait, x)
	}
	client, err := a.admit(ctx, x, readings)
	if err != nil && !errors.Is(err, models.ErrAuthenticationFailed) {
		return nil, err
	}
	wait := a.Failures.Count
	if err == nil {
		wait = a.Failures.Wait // concurrent guesses may have reached the limit meanwhile
	}
	if wait := wait(ctx, x.RealIP(), id); wait > 0 {
		return nil, throttled(wait, x)
	}
	return client, err
}

// maxReadings is the maximum number of readings of a request's credentials.
const maxReadings = 2

// admit returns the client that one of the readings authenticates. The first look at a client may be a
// second old. That is not enough to refuse it, so admit looks again at its present state. Every reading
// that fails costs the same work, whether or not the client exists. For an unknown client and for a known
// client with a wrong secret, that is one query.
func (a *API) admit(ctx context.Context, x *exchange, readings []credentials) (*models.Client, error) {
	gate := a.Gates.Unknown
	if a.Clients.Knows(readings[0].id) {
		gate = a.Gates.Known
	}
	if err := x.pass(ctx, gate); err != nil {
		return nil, err
	}
	started := a.Now()
	var found [maxReadings]*models.Client
	for i, reading := range readings {
		client, err := a.Clients.Find(ctx, reading.id)
		if err = a.open(x, client, err, reading.secret, started); !errors.Is(err, models.ErrAuthenticationFailed) {
			return client, a.proven(ctx, x, err)
		}
		found[i] = client
	}
	if err := x.pass(ctx, a.Gates.Refused); err != nil {
		return nil, err
	}
	refusal := models.ErrAuthenticationFailed
	for i, reading := range readings {
		client, err := found[i], error(nil)
		if client != nil { // an unknown client was just looked up in the database
			client, err = a.Clients.FindSince(ctx, reading.id, started)
		}
		if refusal = a.open(x, client, err, reading.secret, started); !errors.Is(refusal, models.ErrAuthenticationFailed) {
			return client, a.proven(ctx, x, refusal)
		}
	}
	return nil, refusal
}

// open checks the secret of a client, given the result of looking the client up. It returns no error if the
// secret is correct.
//
// It keeps the client's id for the log only if the client exists, because people paste secrets and tokens
// into the wrong field.
func (a *API) open(x *exchange, client *models.Client, found error, secret string, now time.Time) error {
	if found != nil && !errors.Is(found, models.ErrClientNotFound) {
		return found
	}
	retired, err := client.Authenticate(secret, now)
	if client != nil {
		x.clientID = client.ClientID
	}
	if retired != nil {
		x.retired = true
		a.OnRetired(*retired)
	}
	if err == nil {
		x.secret = secret
	}
	return err
}

// proven lets a request go on if err is nil. It returns to the gate for known clients.
func (a *API) proven(ctx context.Context, x *exchange, err error) error {
	if err != nil {
		return err
	}
	return x.pass(ctx, a.Gates.Known)
}

// clientCredentials returns the readings of the client's credentials. There are none, one, or two if HTTP
// Basic can be read both form-encoded and raw.
func clientCredentials(r *http.Request, form form) ([]credentials, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		if form.get("client_id") == "" {
			return nil, nil
		}
		return []credentials{{form.get("client_id"), form.get("client_secret")}}, nil
	}
	if len(headers) > 1 || form.get("client_secret") != "" {
		return nil, errTwoAuthentications
	}
	readings := parseBasic(headers[0])
	if id := form.get("client_id"); id != "" && len(readings) > 0 {
		readings = withID(readings, id)
		if len(readings) == 0 {
			return nil, errTwoClientIDs
		}
	}
	return readings, nil
}

func withID(readings []credentials, id string) []credentials {
	var same []credentials
	for _, reading := range readings {
		if reading.id == id {
			same = append(same, reading)
		}
	}
	return same
}

// parseBasic parses an Authorization header with the scheme Basic. RFC 6749 §2.3.1 requires that id and
// secret are form-encoded before they are joined, but curl -u and many clients join them as they are. If
// the two readings differ, both are returned, that of the RFC first. Another scheme or a malformed header
// gives no reading.
func parseBasic(header string) []credentials {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	joined, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || !utf8.Valid(joined) {
		return nil
	}
	id, secret, found := strings.Cut(string(joined), ":")
	if !found {
		return nil
	}
	raw := credentials{id, secret}
	decodedID, idErr := decode(id)
	decodedSecret, secretErr := decode(secret)
	decoded := credentials{decodedID, decodedSecret}
	if idErr != nil || secretErr != nil || decoded == raw {
		return []credentials{raw}
	}
	return []credentials{decoded, raw}
}
