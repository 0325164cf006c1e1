package tokens

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"chit/models"
)

// record is the value of a token's key. It uses the names of introspection, because operators read it.
type record struct {
	ClientID string          `json:"client_id"`
	Scope    string          `json:"scope,omitempty"`
	Audience models.Audience `json:"aud,omitempty"`
	Binding  models.Binding  `json:"cnf,omitzero"`
	IssuedAt int64           `json:"iat"` // seconds
	Expires  int64           `json:"exp"` // seconds
	// Micros is the part of iat below a second, in microseconds. SQL timestamps have microseconds, and a
	// token that is issued right after tokens_revoked_before must be active.
	Micros int64 `json:"us"`
}

// encode returns the value of a token's key.
func encode(token models.AccessToken) []byte {
	if !plain(token.ClientID) || !plain(token.Scope) || token.Audience != "" || token.Binding != (models.Binding{}) {
		return marshal(token)
	}
	value := make([]byte, 0, 192)
	value = append(append(append(value, `{"client_id":"`...), token.ClientID...), '"')
	if token.Scope != "" {
		value = append(append(append(value, `,"scope":"`...), token.Scope...), '"')
	}
	value = strconv.AppendInt(append(value, `,"iat":`...), token.IssuedAt.Unix(), 10)
	value = strconv.AppendInt(append(value, `,"exp":`...), token.ExpiresAt.Unix(), 10)
	value = strconv.AppendInt(append(value, `,"us":`...), micros(token.IssuedAt), 10)
	return append(value, '}')
}

func micros(t time.Time) int64 { return int64(t.Nanosecond() / 1000) }

// plain reports whether JSON needs no escapes for text.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// marshal is encode for every token.
func marshal(token models.AccessToken) []byte {
	value, err := json.Marshal(record{
		ClientID: token.ClientID,
		Scope:    token.Scope,
		Audience: token.Audience,
		Binding:  token.Binding,
		IssuedAt: token.IssuedAt.Unix(),
		Expires:  token.ExpiresAt.Unix(),
		Micros:   micros(token.IssuedAt),
	})
	if err != nil {
		panic(err) // strings and numbers can always be marshalled
	}
	return value
}

// decode returns the token that the value of a key describes.
func decode(id, value string) (models.AccessToken, error) {
	kept, asWritten := parseRecord(value)
	if !asWritten {
		kept = record{}
		if err := json.Unmarshal([]byte(value), &kept); err != nil {
			return models.AccessToken{}, fmt.Errorf("the value of %s is not a token's: %w", tokenKey(id), err)
		}
	}
	issuedAt := time.Unix(kept.IssuedAt, 1000*kept.Micros)
	return models.AccessToken{
		ID:        id,
		ClientID:  kept.ClientID,
		Scope:     kept.Scope,
		Audience:  kept.Audience,
		Binding:   kept.Binding,
		IssuedAt:  issuedAt,
		ExpiresAt: issuedAt.Add(time.Duration(kept.Expires-kept.IssuedAt) * time.Second),
	}, nil
}
