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
	Inline      *keys.Inline
	Documents   *keys.Documents
	// Once reports whether an assertion is used for the first time, and remembers that for the lifetime. Its
	// errors wrap models.ErrUnavailable.
	Once func(ctx context.Context, id string, lifetime time.Duration) (first bool, err error)
}

// Look says how thorough a check is.
type Look int

// The looks.
const (
	First Look = iota // with the key documents in memory
	Last              // also asks for key documents again: for the check before a refusal
	Again             // of an assertion that was accepted earlier: only its signature
)

// Verify returns no error if the assertion authenticates the client at the time now. It returns
// models.ErrPublicClient, a models.Refusal, or an error that wraps models.ErrUnavailable. A nil client is an
// unknown client. Whatever the refusal is for, the signature is checked with one key, so that the time does not
// tell.
func (v *Verifier) Verify(ctx context.Context, a *Assertion, client *models.Client, now time.Time, look Look) error {
	sources, err := v.sources(a, client)
	if errors.Is(err, models.ErrUnavailable) {
		return err
	}
	if signature := v.checkSignature(ctx, a, sources, look); err == nil {
		err = signature
	}
	own := a.isOwnOf(client)
	if err == nil && look != Again {
		err = v.checkClaims(a, own, now)
	}
	if err == nil {
		err = client.Admit()
	}
	if err != nil || !own || look == Again {
		return err
	}
	return v.use(ctx, a, client, now)
}

// isOwnOf reports whether the assertion says that the client has signed it.
func (a *Assertion) isOwnOf(client *models.Client) bool {
	return client != nil && a.claims.Issuer == client.ClientID && a.claims.Subject == client.ClientID
}

// source is where keys are: a document in the client's row, or one elsewhere.
type source struct {
	inline string
	remote keys.Source
}

// sources returns where the keys are that may sign the assertion for the client. There is one at least if it
// returns no error.
func (v *Verifier) sources(a *Assertion, client *models.Client) ([]source, error) {
	switch {
	case client == nil:
		return nil, models.UnknownClient
	case !a.isOwnOf(client):
		return federated(a, client)
	case !client.Accepts(models.PrivateKeyJWT):
		return nil, models.WrongMethod
	case client.JWKS != "":
		return []source{{inline: string(client.JWKS)}}, nil
	case client.JWKSURI != "":
		return []source{{remote: keys.Source{URL: string(client.JWKSURI)}}}, nil
	}
	return nil, refuse("the client has neither jwks nor jwks_uri")
}

// maxSources is how many sources are asked for one token.
const maxSources = 4

// federated returns the sources of those federations of the client that describe the token.
func federated(a *Assertion, client *models.Client) ([]source, error) {
	if client.FederationsErr != nil {
		return nil, client.FederationsErr
	}
	if !client.AcceptsFederation() {
		return nil, models.WrongMethod
	}
	var sources []source
	for _, federation := range client.Federations {
		if !a.matches(federation) || len(sources) == maxSources {
			continue
		}
		at := keys.Source{URL: string(federation.JWKSURI)}
		if at.URL == "" {
			at.Issuer = federation.Issuer
		}
		sources = append(sources, source{remote: at})
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
func (v *Verifier) checkSignature(ctx context.Context, a *Assertion, sources []source, look Look) error {
	if len(sources) == 0 {
		return refuse("%w", a.signed.Verify(keys.Set{}))
	}
	var failures []error
	for _, source := range sources {
		set, err := v.keys(ctx, a, source, look)
		if err = errors.Join(err, a.signed.Verify(set)); err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return refuse("%w", errors.Join(failures...))
}

// keys returns the keys of a source. For a last look it asks for a document again that lacks the key.
func (v *Verifier) keys(ctx context.Context, a *Assertion, source source, look Look) (keys.Set, error) {
	if source.inline != "" {
		return v.Inline.Parse(source.inline)
	}
	set, err := v.Documents.Get(source.remote)
	if look == First || err == nil && set.Knows(a.signed) {
		return set, err
	}
	return v.Documents.Wait(ctx, source.remote)
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
