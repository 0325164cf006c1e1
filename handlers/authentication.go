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
		readings, err := clientCredentials(x.Request(), form)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(x.Request().Context(), a.RequestTimeout)
		defer cancel()
		client, err := a.authenticate(ctx, x, readings)
		if err != nil {
			return err
		}
		return next(ctx, x, client, form)
	}
}

// authenticate returns the client that one of the readings opens. Each reading that fails costs
// the same work, whether or not there is such a client. For the log it notes the id of a client
// that exists, and no other: people paste secrets and tokens into the wrong place.
func (a *API) authenticate(ctx context.Context, x *exchange, readings []credentials) (*models.Client, error) {
	err := models.ErrAuthenticationFailed
	for _, reading := range readings {
		client, findErr := a.Clients.Find(ctx, reading.id)
		if findErr != nil && !errors.Is(findErr, models.ErrClientNotFound) {
			return nil, findErr
		}
		if client != nil {
			x.clientID = client.ClientID
		}
		if err = client.Authenticate(reading.secret, a.Now()); err == nil {
			return client, nil
		}
		if errors.Is(err, models.ErrPublicClient) {
			return nil, err
		}
	}
	return nil, err
}

// clientCredentials returns the readings of the client's credentials: none, one, or two where
// HTTP Basic can be read as form-encoded and as raw.
func clientCredentials(r *http.Request, form form) ([]credentials, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		if form["client_id"] == "" {
			return nil, nil
		}
		return []credentials{{form["client_id"], form["client_secret"]}}, nil
	}
	if len(headers) > 1 || form["client_secret"] != "" {
		return nil, errTwoAuthentications
	}
	readings := parseBasic(headers[0])
	if id := form["client_id"]; id != "" && len(readings) > 0 {
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
