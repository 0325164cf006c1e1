package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"chit/invalidations"
	"chit/models"
)

// streamWriteTimeout is how long a receiver may take to read what was sent. After it the receiver is cut
// off.
const streamWriteTimeout = time.Second

// invalidations is the endpoint that tells a resource server which of the answers that it keeps are void,
// as server-sent events. The stream ends when the client goes away, does not read, or may no longer receive
// it, and when the server stops.
func (a *API) invalidations(ctx context.Context, x *exchange, client *models.Client, _ form) error {
	if !client.IsResourceServer {
		return errNotResourceServer
	}
	x.leave() // a receiver takes none of the places for requests
	receiver, err := a.Subscribe(ctx, client.ClientID)
	if err != nil {
		return err
	}
	defer receiver.Close()
	if err := a.stillReceives(ctx, x, client.Resource); err != nil { // the client may have changed before it was subscribed
		return err
	}
	a.Log.Info("receiver of invalidations connected", "request_id", x.requestID, "client_id", client.ClientID, "remote", x.RealIP())
	x.streamed = true
	header := x.Response().Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	header["Connection"] = closing        // nobody can send a request on it while the server stops
	// The connection must outlive the limits for requests. The answer does not use ctx for the same reason.
	control := http.NewResponseController(x.Response())
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	x.Response().WriteHeader(http.StatusOK)
	x.cause = a.stream(x, receiver, control, client.Resource)
	return nil
}

// stream sends events until the stream ends. It returns why, or nil for an ordinary end. resource are the identifiers
// of the receiver when it began.
func (a *API) stream(x *exchange, receiver *invalidations.Receiver, control *http.ResponseController, resource models.Text) error {
	ctx := x.Request().Context()
	var batch invalidations.Batch
	for {
		var err error
		if batch, err = receiver.Next(ctx, batch.Text); err != nil {
			return nil // the client has gone away, or the server stops
		}
		if err := control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil {
			return err
		}
		if _, err := x.Response().Write(batch.Text); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
		receiver.Sent(batch)
		a.Usage.Used(x.clientID, time.Now())
		if batch.Concerned {
			if err := a.stillReceives(ctx, x, resource); err != nil {
				return fmt.Errorf("the client may have changed and has to connect again: %w", err)
			}
		}
	}
}

// stillReceives looks at the client again. It returns an error unless the credentials of the request are still
// right and the client is a resource server with these identifiers. If the database does not answer, the error wraps
// models.ErrUnavailable.
func (a *API) stillReceives(ctx context.Context, x *exchange, resource models.Text) error {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	now := a.Now()
	client, err := a.Clients.FindSince(ctx, x.clientID, now)
	if err := a.open(ctx, x, look{client, err, now, models.Again}, x.shown); err != nil {
		return err
	}
	switch {
	case !client.IsResourceServer:
		return errNotResourceServer
	case client.Resource != resource:
		return errOtherResource
	}
	return nil
}

// errOtherResource ends a stream, because the receiver keeps answers about tokens that it may no longer see, or the
// other way round. At the beginning of one, the client has been changed just now.
var errOtherResource = fmt.Errorf("the identifiers of the resource server have changed: %w", models.ErrUnavailable)
