package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"chit/models"
)

// credentials are a client's id and secret as one reading of a request has them.
type credentials struct{ id, secret string }

// endpoint is what stands behind client authentication.
type endpoint func(ctx context.Context, x *exchange, client *models.Client, form form) error

// authenticated reads the form, authenticates the client (RFC 6749 §2.3) and hands both on.
func (a *API) authenticated(next endpoint) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := c.(*exchange)
		form, err := readForm(x.Request())
		if err != nil {
			return err
		}
		if err := a.Gate.enter(); err != nil {
			return err
		}
		defer a.Gate.leave()
		readings, err := clientCredentials(x.Request(), form)
		if err != nil {
			return err
		}
		ctx := x.Request().Context()
		client, err := a.authenticate(ctx, x, readings)
		if err != nil {
			return err
		}
		return next(ctx, x, client, form)
	}
}

// authenticate returns the client that one of the readings opens. Each reading that fails costs
// the same work, whether or not there is such a client. A request that fails is counted once, by the
// id that the RFC reads in it, and one without credentials has guessed nothing.
func (a *API) authenticate(ctx context.Context, x *exchange, readings []credentials) (*models.Client, error) {
	refusal := models.ErrAuthenticationFailed
	if len(readings) == 0 {
		return nil, refusal
	}
	id := readings[0].id
	if wait := a.Failures.Wait(ctx, x.RealIP(), id); wait > 0 {
		return nil, throttled(wait, x)
	}
	for _, reading := range readings {
		client, err := a.admit(ctx, x, reading)
		if err == nil || !errors.Is(err, models.ErrAuthenticationFailed) {
			return client, err
		}
		refusal = err
	}
	if wait := a.Failures.Count(ctx, x.RealIP(), id); wait > 0 {
		return nil, throttled(wait, x)
	}
	return nil, refusal
}

// admit returns the client that the credentials open. A client may be known as it was a moment ago,
// which is not enough to refuse it: it is then asked for as it is now. For an unknown client, as
// for a known one with a wrong secret, that makes one query.
//
// For the log admit notes the id of a client that exists, and no other: people paste secrets and
// tokens into the wrong place.
func (a *API) admit(ctx context.Context, x *exchange, c credentials) (*models.Client, error) {
	started := a.Now()
	client, err := a.Clients.Find(ctx, c.id)
	if err != nil && !errors.Is(err, models.ErrClientNotFound) {
		return nil, err
	}
	retired, refusal := client.Authenticate(c.secret, started)
	if refusal != nil {
		if client != nil { // who is unknown has been asked for just now
			client, err = a.Clients.FindSince(ctx, c.id, started)
		}
		if err != nil && !errors.Is(err, models.ErrClientNotFound) {
			return nil, err
		}
		retired, refusal = client.Authenticate(c.secret, started) // for an unknown client too: the same work
	}
	if client != nil {
		x.clientID = client.ClientID
	}
	if retired != nil {
		x.retired = true
		a.OnRetired(*retired)
	}
	return client, refusal
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
