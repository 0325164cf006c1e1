package guard

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// introspection is the answer of the introspection endpoint (RFC 7662 §2.2).
type introspection struct {
	Active   *bool    `json:"active"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	IssuedAt float64  `json:"iat"` // seconds; 0: unknown
	Expires  float64  `json:"exp"` // seconds; 0: unknown
	ID       string   `json:"jti"`
	Audience audience `json:"aud"`
	Type     string   `json:"token_type"`
	// Confirmation is what the token is bound to (RFC 8705 §3.2, RFC 9449 §6.2).
	Confirmation map[string]any `json:"cnf"`
}

// audience is a text or a list of texts (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads both.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one *string
	if json.Unmarshal(text, &one) == nil {
		if *a = nil; one != nil {
			*a = audience{*one}
		}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// instant returns a time in whole seconds, or the zero Time if it is unknown.
func instant(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// answerOf returns the answer without its times.
func (g *Guard) answerOf(told introspection, d digest) *answer {
	a := &answer{active: *told.Active}
	if !a.active {
		return a
	}
	if told.ID == "" {
		told.ID = hex.EncodeToString(d[:])
	}
	a.touched = slots{g.marks.tokenSlot(told.ID), g.marks.clientSlot(told.ClientID)}
	a.token = Token{
		ID:        told.ID,
		ClientID:  told.ClientID,
		Scopes:    strings.Fields(told.Scope),
		Audience:  told.Audience,
		IssuedAt:  instant(told.IssuedAt),
		ExpiresAt: instant(told.Expires),
	}
	var known bool
	a.token.Certificate, a.token.Key, known = told.binding()
	switch {
	case g.config.Resource != "" && len(told.Audience) > 0 && !slices.Contains(told.Audience, g.config.Resource):
		a.unusable = ErrOtherAudience
	case !known:
		a.unusable = ErrUnknownBinding
	}
	return a
}

// binding returns what a token is bound to. known is false if it is bound in a way that this package cannot check.
func (i introspection) binding() (certificate, key string, known bool) {
	known = true
	for method, value := range i.Confirmation {
		text, is := value.(string)
		switch {
		case is && text != "" && method == "x5t#S256":
			certificate = text
		case is && text != "" && method == "jkt":
			key = text
		default:
			known = false
		}
	}
	if strings.EqualFold(i.Type, dpopScheme) && key == "" {
		known = false
	}
	return certificate, key, known
}

// lifetime returns how long the answer may be kept. It compares exp with the clock of the server, which the
// answer has in whole seconds.
func (i introspection) lifetime(header http.Header, calendar int64) time.Duration {
	if !*i.Active || i.Expires == 0 {
		return inactiveTime
	}
	now := time.Unix(0, calendar)
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date.Add(time.Second)
	}
	const longest = 10 * 365 * 24 * time.Hour
	return min(instant(i.Expires).Sub(now), longest)
}
