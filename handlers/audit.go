package handlers

import (
	"errors"

	"chit/audit"
	"chit/models"
)

// audit passes on the events of the request. An issued token is none: there are too many, and Redis lists them. The
// use of a retired secret is one of its own.
func (a *API) audit(x *exchange) {
	if a.Audit == nil {
		return
	}
	if x.event != "" && x.event != eventTokenIssued {
		a.Audit(eventOf(x, x.event))
	}
	if x.retired && x.event != eventRetiredSecretUsed {
		a.Audit(eventOf(x, eventRetiredSecretUsed))
	}
}

func eventOf(x *exchange, name string) audit.Event {
	event := audit.Event{At: x.started, Name: name, ClientID: x.clientID, TokenID: x.jti, Remote: x.RealIP(), RequestID: x.requestID}
	if why, is := errors.AsType[models.Refusal](x.cause); is {
		event.Detail = string(why)
	}
	return event
}
