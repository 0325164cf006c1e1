// Package load creates closed-loop load on a server. It uses wrk to measure. It has a client of its own to
// issue an exact number of tokens, or to record the latency of every answer.
package load

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Texts that the body of a correct answer contains.
const (
	Issued = `"access_token"`
	Active = `"active":true`
)

// Client is the client that sends a request.
type Client struct{ ID, Secret string }

// Request is a request of a load.
type Request struct {
	Method, Path string
	As           Client // the zero value: no Authorization header
	Form         string // the body; empty: none
	Header       string // one more header, "Name: value"; empty: none
}

// Issue returns a token request.
func Issue(as Client) Request {
	return Request{Method: "POST", Path: "/token", As: as, Form: "grant_type=client_credentials"}
}

// Introspect returns an introspection of a token.
func Introspect(as Client, token string) Request {
	return Request{Method: "POST", Path: "/introspect", As: as, Form: url.Values{"token": {token}}.Encode()}
}

// Introspections returns an introspection for each token.
func Introspections(as Client, tokens []string) []Request {
	requests := make([]Request, len(tokens))
	for i, token := range tokens {
		requests[i] = Introspect(as, token)
	}
	return requests
}

// Mix puts request in front of every group of "each" others.
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

// lines writes requests in the format of load.lua.
func lines(requests []Request) string {
	var text strings.Builder
	for _, r := range requests {
		text.WriteString(strings.Join([]string{r.Method, r.Path, r.authorization(), r.Header, r.Form}, "\t") + "\n")
	}
	return text.String()
}
