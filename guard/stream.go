package guard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// openTimeout is how long the server may take to open a stream.
	openTimeout = 5 * time.Second
	// silence is how long a stream may stay without a heartbeat before the guard opens another one.
	silence = 3 * time.Second
	// drift is how much later each heartbeat may be than the one before, because no two clocks run equally
	// fast.
	drift              = int64(time.Millisecond)
	minPause, maxPause = 50 * time.Millisecond, 5 * time.Second
)

var (
	errSilent     = errors.New("no heartbeats arrive: the node does not hear of changes, or a proxy holds the stream back")
	errNoEndpoint = errors.New("the metadata has no invalidation_endpoint")
	errNoStream   = errors.New("the answer is not a stream of events")
	errEndStream  = errors.New("the server has ended the stream")
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

// stream reads the events of a stream.
type stream struct {
	guard  *Guard
	opened func() // called when the stream is ready
	heard  func() // called for each heartbeat
	ready  bool
	first  bool  // no heartbeat with an id has arrived yet
	delay  int64 // the least difference between the elapsed time and the id of a heartbeat
}

// event is a server-sent event.
type event struct{ name, data, id string }

// maxLine is the length of the longest line that is read, in bytes.
const maxLine = 16 << 10

// read handles events until the stream ends.
func (s *stream) read(from *bufio.Reader) error {
	var e event
	for {
		line, err := readLine(from)
		if errors.Is(err, io.EOF) {
			return errEndStream
		}
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if err := s.handle(e); err != nil {
				return err
			}
			e = event{}
		case name == "event":
			e.name = value
		case name == "data":
			e.data += value
		case name == "id":
			e.id = value
		}
	}
}

var errLongLine = errors.New("a line of the stream is too long")

func readLine(from *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, more, err := from.ReadLine()
		if err != nil {
			return "", err
		}
		line = append(line, part...)
		if len(line) > maxLine {
			return "", errLongLine
		}
		if !more {
			return string(line), nil
		}
	}
}

// handle handles an event. Events with other names are ignored.
func (s *stream) handle(e event) error {
	var subject struct {
		ID       string `json:"jti"`
		ClientID string `json:"client_id"`
	}
	elapsed, calendar := s.guard.clock()
	m := s.guard.marks
	switch e.name {
	case "ready":
		m.ready.Store(elapsed)
		s.ready = true
		s.trust(elapsed, calendar)
		s.opened()
		s.guard.settle()
	case "token", "client":
		if err := json.Unmarshal([]byte(e.data), &subject); err != nil {
			return fmt.Errorf("an event %s of the stream: %w", e.name, err)
		}
		if e.name == "token" {
			m.tokens[m.tokenSlot(subject.ID)].Store(elapsed)
		} else {
			m.clients[m.clientSlot(subject.ClientID)].Store(elapsed)
			m.anyClient.Store(elapsed)
		}
	case "all":
		m.all.Store(elapsed)
	case "heartbeat":
		if late := s.lateness(e.id, elapsed); s.ready && late < trust {
			s.trust(elapsed-late, calendar-late)
		}
	}
	return nil
}

// trust lets the guard use its answers for a second from the given time.
func (s *stream) trust(elapsed, calendar int64) {
	s.heard()
	s.guard.heartbeatCalendar.Store(calendar)
	s.guard.heartbeat.Store(elapsed)
}

// lateness returns how much longer a heartbeat was on its way than the fastest one. Its id is the time of the
// server in milliseconds, from any start. A heartbeat that was held back proves nothing about the time since.
// Without a number as its id it counts as timely.
func (s *stream) lateness(id string, elapsed int64) int64 {
	milliseconds, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	delay := elapsed - milliseconds*int64(time.Millisecond)
	s.delay += drift
	if s.first || delay < s.delay {
		s.first, s.delay = false, delay
	}
	return delay - s.delay
}
