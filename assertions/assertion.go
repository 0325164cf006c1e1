// Package assertions authenticates clients by signed assertions (RFC 7523 §2.2): those that a client signs
// itself, and tokens of other issuers that stand for a client.
package assertions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"chit/keys"
	"chit/models"
)

// Type is the client_assertion_type of an assertion (RFC 7523 §2.2).
const Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// skew is how far ahead iat and nbf may be, because clocks differ.
const skew = time.Minute

// Assertion is a parsed assertion. Nothing in it is proved.
type Assertion struct {
	signed *keys.Signed
	claims jwt.Claims
}

// Parse parses an assertion. It checks no signature. The error is a models.Refusal.
func Parse(text string) (*Assertion, error) {
	signed, err := keys.ParseSigned(text)
	if err != nil {
		return nil, refuse("%w", err)
	}
	a := &Assertion{signed: signed}
	if err := json.Unmarshal(signed.Claims(), &a.claims); err != nil {
		return nil, refuse("the claims are malformed: %w", err)
	}
	return a, nil
}

// Subject returns the sub, which is the client id if the client has signed the assertion itself.
func (a *Assertion) Subject() string { return a.claims.Subject }

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", models.WrongAssertion, fmt.Errorf(format, args...))
}

// checkTimes checks exp, iat and nbf. An assertion ends at most longest after now; 0: there is no limit.
func (a *Assertion) checkTimes(now time.Time, longest time.Duration) error {
	switch ends, latest := a.claims.Expiry, now.Add(skew); {
	case ends == nil:
		return errors.New("it has no exp")
	case !now.Before(ends.Time()):
		return fmt.Errorf("it has expired at %s", ends.Time().UTC().Format(time.RFC3339))
	case longest > 0 && ends.Time().After(now.Add(longest)):
		return fmt.Errorf("its exp is more than %s ahead", longest)
	case a.claims.IssuedAt.Time().After(latest):
		return fmt.Errorf("its iat is more than %s ahead", skew)
	case a.claims.NotBefore.Time().After(latest):
		return fmt.Errorf("its nbf is more than %s ahead", skew)
	}
	return nil
}

// isFor reports whether the assertion is for one of these audiences, and for nobody else. An assertion for
// several could be shown by one of them to another.
func (a *Assertion) isFor(audiences ...string) bool {
	return len(a.claims.Audience) == 1 && slices.Contains(audiences, a.claims.Audience[0])
}

// matches reports whether the assertion is a token that a federation describes.
func (a *Assertion) matches(f models.Federation) bool {
	return a.isOf(f.Issuer) && MatchesSubject(f.Subject, a.claims.Subject) && a.isFor(f.Audience)
}

// SPIFFE is what the URL of a trust domain begins with.
const SPIFFE = "spiffe://"

// isOf reports whether the token is of the issuer. The issuer of a SPIFFE token is the trust domain of its
// subject, and it may have no iss.
func (a *Assertion) isOf(issuer string) bool {
	if !strings.HasPrefix(issuer, SPIFFE) {
		return a.claims.Issuer == issuer
	}
	return strings.HasPrefix(a.claims.Subject, strings.TrimSuffix(issuer, "/")+"/")
}

// MatchesSubject reports whether a subject fits a pattern. A * at the end of the pattern stands for any text.
func MatchesSubject(pattern, subject string) bool {
	if start, open := strings.CutSuffix(pattern, "*"); open {
		return subject != "" && strings.HasPrefix(subject, start)
	}
	return subject == pattern
}
