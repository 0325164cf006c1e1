package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"time"
)

const (
	// openTimeout is how long the server may take to open a stream.
	openTimeout = 5 * time.Second
	// silence is how long a stream may stay without a heartbeat before the guard opens another one.
	silence            = 3 * time.Second
	minPause, maxPause = 50 * time.Millisecond, 5 * time.Second
)

var (
	errSilent     = errors.New("no heartbeats arrive: the node does not hear of changes, or a proxy holds the stream back")
	errNoEndpoint = errors.New("the metadata has no invalidation_endpoint")
	errNoStream   = errors.New("the answer is not a stream of events")
)

// refused is the error of a server that does not open a stream for this client.
type refused struct{ error }

// follow keeps a stream open until ctx ends.
func (g *Guard) follow(ctx context.Context) {
	defer g.settle()
	pause, lost := minPause, ""
	for ctx.Err() == nil {
		began := time.Now()
		first := g.preferred.Load()
		opened, err := g.receive(ctx, g.nodes[first], func() {
			if lost != "" {
				g.config.Log.Warn("guard: the authorization server says again which tokens end")
			}
			lost = ""
		})
		g.settle()
		if ctx.Err() != nil {
			return
		}
		if message := err.Error(); message != lost {
			lost = message
			g.logLoss(err)
		}
		g.preferred.CompareAndSwap(first, (first+1)%int32(len(g.nodes)))
		if opened && time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, maxPause)
	}
}

func (g *Guard) logLoss(err error) {
	level := slog.LevelWarn
	if errors.As(err, new(refused)) {
		level = slog.LevelError
	}
	g.config.Log.Log(context.Background(), level, "guard: the authorization server does not say which tokens end, so each token is introspected", "cause", err.Error())
}

// receive opens a stream at a node and handles its events. It calls opened when the stream is ready, and
// returns why the stream has ended.
func (g *Guard) receive(ctx context.Context, n *node, opened func()) (ready bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(openTimeout, func() { cancel(errSilent) })
	defer watchdog.Stop()
	response, err := g.open(ctx, n)
	if err != nil {
		return false, because(ctx, err)
	}
	defer response.Body.Close()
	s := stream{guard: g, opened: opened, heard: func() { watchdog.Reset(silence) }, first: true}
	err = s.read(bufio.NewReader(response.Body))
	return s.ready, because(ctx, err)
}

// because returns the reason why the guard itself has ended a stream, or err.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// open sends the request for a stream. It also records whether the server refuses this client.
func (g *Guard) open(ctx context.Context, n *node) (*http.Response, error) {
	e, err := n.discover(ctx, g.streaming)
	if err != nil {
		return nil, err
	}
	n.found.Store(e)
	if e.Invalidation == "" {
		return nil, errNoEndpoint
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Invalidation, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", n.authorization)
	request.Header.Set("Accept", "text/event-stream")
	response, err := g.streaming.Do(request)
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // a malformed type is another type
	if response.StatusCode != http.StatusForbidden {
		g.refusal.Store(nil)
	}
	switch {
	case response.StatusCode == http.StatusOK && kind == "text/event-stream":
		return response, nil
	case response.StatusCode == http.StatusUnauthorized:
		err = refused{g.badCredentials()}
	case response.StatusCode == http.StatusForbidden:
		err = refused{fmt.Errorf("client %q is not registered as a resource server, so it may not see the tokens of others: run `chit client update %s --resource-server`", g.config.ClientID, g.config.ClientID)}
		refusal := unavailable("open the stream", err)
		g.refusal.Store(&refusal)
	case response.StatusCode == http.StatusOK:
		err = errNoStream
	default:
		err = fmt.Errorf("%s answers with status %d", e.Invalidation, response.StatusCode)
	}
	return nil, errors.Join(err, response.Body.Close())
}
