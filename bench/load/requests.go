// Package load puts closed-loop load on a server: with wrk to measure, and with a client of its own to issue an exact number of
// tokens or to keep the time of every answer.
package load

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// What a right answer's body contains.
const (
	Issued = `"access_token"`
	Active = `"active":true`
)

// Client is who sends a request.
type Client struct{ ID, Secret string }

// Request is one of those that a load repeats.
type Request struct {
	Method, Path string
	As           Client // the zero Client sends no Authorization
	Form         string // the body; empty: none
}

// Issue asks for a token.
func Issue(as Client) Request {
	return Request{Method: "POST", Path: "/token", As: as, Form: "grant_type=client_credentials"}
}

// Introspect asks about a token.
func Introspect(as Client, token string) Request {
	return Request{Method: "POST", Path: "/introspect", As: as, Form: url.Values{"token": {token}}.Encode()}
}

// Introspections asks about each of tokens.
func Introspections(as Client, tokens []string) []Request {
	requests := make([]Request, len(tokens))
	for i, token := range tokens {
		requests[i] = Introspect(as, token)
	}
	return requests
}

// Mix puts request in front of every each of others.
func Mix(request Request, each int, others []Request) []Request {
	var mixed []Request
	for i, other := range others {
		if i%each == 0 {
			mixed = append(mixed, request)
		}
		mixed = append(mixed, other)
	}
	return mixed
}

func (r Request) authorization() string {
	if r.As == (Client{}) {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(r.As.ID+":"+r.As.Secret))
}

// lines writes requests as load.lua reads them.
func lines(requests []Request) string {
	var text strings.Builder
	for _, r := range requests {
		text.WriteString(strings.Join([]string{r.Method, r.Path, r.authorization(), r.Form}, "\t") + "\n")
	}
	return text.String()
}
