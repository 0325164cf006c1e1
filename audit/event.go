// Package audit keeps the latest events of the audit trail for operators to look at: in memory those of this
// node, and in Redis those of all nodes if a setting says so. The log is the trail itself and has every event,
// also those of issued tokens, which are too many to keep twice.
package audit

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Event is an event of the audit trail. It never has a token or a secret.
type Event struct {
	At        time.Time
	Name      string // as "event" in the log, such as client_created
	ClientID  string // whom it is about; empty: unknown, or all clients
	Operator  string // who has acted; empty: the client itself
	TokenID   string // jti; empty: it is about no single token
	Remote    string // address of the caller
	RequestID string
	Node      string // host name of the server or of the command line
	Detail    string // for people: what has changed, or why
}

// FromRecord returns the event of a log record that has the attributes of the audit trail.
func FromRecord(record slog.Record) Event {
	e := Event{At: record.Time}
	var old, changed []slog.Attr
	var details []string
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "event":
			e.Name = a.Value.String()
		case "client_id":
			e.ClientID = a.Value.String()
		case "operator":
			e.Operator = a.Value.String()
		case "jti":
			e.TokenID = a.Value.String()
		case "remote":
			e.Remote = a.Value.String()
		case "request_id":
			e.RequestID = a.Value.String()
		case "operator_jti", "scope":
		case "before":
			old = a.Value.Group()
		case "after":
			changed = a.Value.Group()
		default:
			details = append(details, a.Key+" "+a.Value.String())
		}
		return true
	})
	e.Detail = strings.Join(append(describe(old, changed), details...), ", ")
	return e
}

// describe returns the changes of fields as text. The two lists have the same keys, or one of them is empty.
func describe(old, changed []slog.Attr) (texts []string) {
	if len(changed) == 0 {
		changed, old = old, nil
	}
	for i, a := range changed {
		if old != nil {
			texts = append(texts, fmt.Sprintf("%s %s → %s", a.Key, text(old[i].Value), text(a.Value)))
		} else if t := text(a.Value); t != "none" && t != "false" {
			texts = append(texts, a.Key+" "+t)
		}
	}
	return texts
}

// text returns a value for people. Texts are quoted, so that it is clear where they end.
func text(v slog.Value) string {
	switch {
	case v.Kind() == slog.KindAny && v.Any() == nil, v.Kind() == slog.KindString && v.String() == "":
		return "none"
	case v.Kind() == slog.KindString:
		return fmt.Sprintf("%q", v.String())
	}
	return v.String()
}

// Names are those of all events: first of what operators do, then of requests to the OAuth endpoints.
var Names = []string{
	"client_created", "client_updated", "client_secret_rotated", "client_disabled", "client_enabled", "client_deleted", "tokens_revoked", "token_revoked",
	"authentication_refused", "authentication_throttled", "retired_secret_used",
}
