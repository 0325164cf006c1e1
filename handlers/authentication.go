package handlers

import (
	"context"
	"errors"
	"time"

	"github.com/labstack/echo/v4"

	"chit/certificates"
	"chit/models"
)

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
		if len(readings) == 1 && readings[0].method == models.AnySecret {
			a.addCertificate(x.Request(), &readings[0])
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
		if err = a.open(ctx, x, look{client, err, started, models.First}, &readings[i]); !errors.Is(err, models.ErrAuthenticationFailed) {
			return client, a.proven(ctx, x, err)
		}
		found[i] = client
	}
	a.awaitKeys(ctx, x, found[0], &readings[0])
	if err := x.pass(ctx, a.Gates.Refused); err != nil {
		return nil, err
	}
	refusal := models.ErrAuthenticationFailed
	for i, reading := range readings {
		client, err := found[i], error(nil)
		if client != nil { // an unknown client was just looked up in the database
			client, err = a.Clients.FindSince(ctx, reading.id, started)
		}
		if refusal = a.open(ctx, x, look{client, err, started, models.Last}, &readings[i]); !errors.Is(refusal, models.ErrAuthenticationFailed) {
			return client, a.proven(ctx, x, refusal)
		}
	}
	return nil, refusal
}

// awaitKeys waits for the keys of other servers that the credentials need. The request has no place meanwhile,
// because a server that hangs must not take those of others.
func (a *API) awaitKeys(ctx context.Context, x *exchange, client *models.Client, shown *credentials) {
	switch {
	case client == nil:
	case shown.assertion != nil:
		x.leave()
		a.Assertions.Await(ctx, shown.assertion, client)
	case shown.certificate != nil:
		x.leave()
		a.Certificates.Await(ctx, shown.certificate, client)
	}
}

// look is a look at a client: the result of finding it, and how to check its credentials.
type look struct {
	client *models.Client // nil: it is unknown
	err    error
	now    time.Time
	models.Look
}

// open checks the credentials of a client. It returns no error if they are right.
//
// It keeps the client's id for the log only if the client exists, because people paste secrets and tokens
// into the wrong field.
func (a *API) open(ctx context.Context, x *exchange, at look, shown *credentials) error {
	if at.err != nil && !errors.Is(at.err, models.ErrClientNotFound) {
		return at.err
	}
	if at.client != nil {
		x.clientID = at.client.ClientID
	}
	err := a.check(ctx, x, at, shown)
	if err == nil {
		x.shown = shown
	}
	return err
}

// check checks the credentials by the method with which they were sent.
func (a *API) check(ctx context.Context, x *exchange, at look, shown *credentials) error {
	switch {
	case shown.malformed != nil:
		return shown.malformed
	case shown.method == models.PrivateKeyJWT:
		return a.Assertions.Verify(ctx, shown.assertion, at.client, at.now, at.Look)
	case shown.certificate != nil:
		if err := a.Certificates.Verify(ctx, shown.certificate, at.client, at.now, at.Look); !errors.Is(err, certificates.ErrOtherMethod) {
			return err
		}
	}
	retired, err := at.client.Authenticate(shown.method, shown.secret, at.now)
	if retired != nil {
		x.retired = true
		a.OnRetired(*retired)
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
