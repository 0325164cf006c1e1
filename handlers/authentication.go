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

// credentials are a client's id and secret as one reading of a request has them.
type credentials struct{ id, secret string }

// endpoint is what stands behind client authentication.
type endpoint func(ctx context.Context, x *exchange, client *models.Client, form form) error

// authenticated reads the form, authenticates the client (RFC 6749 §2.3) and hands both on. From the end
// of the body on the request has one deadline, whatever it waits for.
func (a *API) authenticated(next endpoint) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := c.(*exchange)
		form, err := readForm(x.Request())
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
		return next(ctx, x, client, form)
	}
}

// authenticate returns the client that one of the readings opens. A request that fails is counted once,
// by the id that the RFC reads in it, and one without credentials has guessed nothing.
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
		wait = a.Failures.Wait // others may have used up the limit meanwhile, with guesses at the same time
	}
	if wait := wait(ctx, x.RealIP(), id); wait > 0 {
		return nil, throttled(wait, x)
	}
	return client, err
}

// maxReadings is how many readings of a request's credentials there are at most.
const maxReadings = 2

// admit returns the client that one of the readings opens. A client may be known as it was a moment ago,
// which is not enough to refuse it: it is then asked for as it is now. Each reading that fails costs the
// same work, whether or not there is such a client; for an unknown client, as for a known one with a
// wrong secret, that makes one query.
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
		if client != nil { // who is unknown has been asked for just now
			client, err = a.Clients.FindSince(ctx, reading.id, started)
		}
		if refusal = a.open(x, client, err, reading.secret, started); !errors.Is(refusal, models.ErrAuthenticationFailed) {
			return client, a.proven(ctx, x, refusal)
		}
	}
	return nil, refusal
}

// open returns no error if the secret opens the client, which was found with an error.
//
// For the log it notes the id of a client that exists, and no other: people paste secrets and
// tokens into the wrong place.
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
	return err
}

// proven lets a request on whose client was opened with no error.
func (a *API) proven(ctx context.Context, x *exchange, err error) error {
	if err != nil {
		return err
	}
	return x.pass(ctx, a.Gates.Known)
}

// clientCredentials returns the readings of the client's credentials: none, one, or two where
// HTTP Basic can be read as form-encoded and as raw.
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

// parseBasic reads an Authorization header of the scheme Basic. RFC 6749 §2.3.1 has id and secret
// form-encoded before they are joined; curl -u and many others join them as they are. Both are
// returned where they differ, the RFC's first. Another scheme or a malformed header gives none.
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
