package assertions

import (
	"context"
	"errors"
	"strings"
	"time"

	"chit/keys"
	"chit/models"
)

// Verifier authenticates clients by assertions.
type Verifier struct {
	Audiences   []string      // that assertions of clients may have: the issuer, and what is set beside it
	MaxLifetime time.Duration // how far ahead the exp of an assertion of a client may be
	Keys        *keys.Ring
	// Once reports whether an assertion is used for the first time, and remembers that for the lifetime. Its
	// errors wrap models.ErrUnavailable.
	Once func(ctx context.Context, id string, lifetime time.Duration) (first bool, err error)
}

// Verify returns no error if the assertion authenticates the client at the time now. It returns
// models.ErrPublicClient, a models.Refusal, or an error that wraps models.ErrUnavailable. A nil client is an
// unknown client. Whatever the refusal is for, the signature is checked with one key, so that the time does not
// tell.
func (v *Verifier) Verify(ctx context.Context, a *Assertion, client *models.Client, now time.Time, look models.Look) error {
	sources, err := v.sources(a, client)
	if errors.Is(err, models.ErrUnavailable) {
		return err
	}
	if signature := v.checkSignature(ctx, a, sources, look); err == nil {
		err = signature
	}
	own := a.isOwnOf(client)
	if err == nil && look != models.Again {
		err = v.checkClaims(a, own, now)
	}
	if err == nil {
		err = client.Admit()
	}
	if err != nil || !own || look == models.Again {
		return err
	}
	return v.use(ctx, a, client, now)
}

// Await waits until key documents have been asked for again that lack the key of the assertion. A last look then
// need not wait.
func (v *Verifier) Await(ctx context.Context, a *Assertion, client *models.Client) {
	sources, _ := v.sources(a, client) // the last look finds the reason for a refusal
	for _, source := range sources {
		_, _ = v.find(ctx, a, source, true)
	}
}

func (v *Verifier) find(ctx context.Context, a *Assertion, source keys.Source, thorough bool) (keys.Set, error) {
	return v.Keys.Find(ctx, source, thorough, func(known keys.Set) bool { return known.Knows(a.signed) })
}

// isOwnOf reports whether the assertion says that the client has signed it.
func (a *Assertion) isOwnOf(client *models.Client) bool {
	return client != nil && a.claims.Issuer == client.ClientID && a.claims.Subject == client.ClientID
}

// sources returns where the keys are that may sign the assertion for the client. There is one at least if it
// returns no error.
func (v *Verifier) sources(a *Assertion, client *models.Client) ([]keys.Source, error) {
	switch {
	case client == nil:
		return nil, models.UnknownClient
	case !a.isOwnOf(client):
		return federated(a, client)
	case !client.Accepts(models.PrivateKeyJWT):
		return nil, models.WrongMethod
	}
	source, found := keys.Of(client)
	if !found {
		return nil, refuse("the client has neither jwks nor jwks_uri")
	}
	return []keys.Source{source}, nil
}

// maxSources is how many sources are asked for one token.
const maxSources = 4

// federated returns the sources of those federations of the client that describe the token.
func federated(a *Assertion, client *models.Client) ([]keys.Source, error) {
	if client.FederationsErr != nil {
		return nil, client.FederationsErr
	}
	if !client.AcceptsFederation() {
		return nil, models.WrongMethod
	}
	var sources []keys.Source
	for _, federation := range client.Federations {
		if !a.matches(federation) || len(sources) == maxSources {
			continue
		}
		at := keys.Source{URL: string(federation.JWKSURI)}
		if at.URL == "" {
			at.Issuer = federation.Issuer
		}
		sources = append(sources, at)
	}
	if len(sources) == 0 {
		return nil, refuse("it is neither of the client nor described by a federation: iss %q, sub %q, aud %q", short(a.claims.Issuer), short(a.claims.Subject), short(strings.Join(a.claims.Audience, " ")))
	}
	return sources, nil
}

// short returns the beginning of a text, for the log.
func short(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

// checkSignature returns no error if a key of one of the sources has signed the assertion.
func (v *Verifier) checkSignature(ctx context.Context, a *Assertion, sources []keys.Source, look models.Look) error {
	if len(sources) == 0 {
		return refuse("%w", a.signed.Verify(keys.Set{}))
	}
	var failures []error
	for _, source := range sources {
		set, err := v.find(ctx, a, source, look != models.First)
		if err = errors.Join(err, a.signed.Verify(set)); err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return refuse("%w", errors.Join(failures...))
}

// checkClaims checks the claims of an assertion whose signature is right. What the sources depend on was
// checked before.
func (v *Verifier) checkClaims(a *Assertion, own bool, now time.Time) error {
	if !own {
		if err := a.checkTimes(now, 0); err != nil {
			return refuse("%w", err)
		}
		return nil
	}
	switch err := a.checkTimes(now, v.MaxLifetime); {
	case err != nil:
		return refuse("%w", err)
	case !a.isFor(v.Audiences...):
		return refuse("its aud is %q and not exactly the issuer", short(strings.Join(a.claims.Audience, " ")))
	case a.claims.ID == "":
		return refuse("it has no jti")
	}
	return nil
}

// use makes sure that an assertion of a client is used once. The record outlives the assertion, because the
// clocks of the nodes differ.
func (v *Verifier) use(ctx context.Context, a *Assertion, client *models.Client, now time.Time) error {
	first, err := v.Once(ctx, "client assertion\x00"+client.ClientID+"\x00"+a.claims.ID, a.claims.Expiry.Time().Sub(now)+skew)
	if err == nil && !first {
		return refuse("its jti was used before")
	}
	return err
}
