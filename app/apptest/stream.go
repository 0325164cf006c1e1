package apptest

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Stream is an open stream of invalidations.
type Stream struct {
	t        testing.TB
	events   chan Event
	response *http.Response
	err      error // why the stream has ended; set before events is closed
}

// Event is an event of a Stream. The zero value means that the stream has ended.
type Event struct {
	Name string
	Data string
	At   time.Time
}

// Receive opens a stream of invalidations and waits for the event "ready". It is closed when the test ends.
func (s *Server) Receive(user, secret string) *Stream {
	s.t.Helper()
	return Receive(s.t, s.URL, user, secret)
}

// Receive is like Server.Receive, for any server.
func Receive(t testing.TB, url, user, secret string) *Stream {
	t.Helper()
	return ReceiveBy(t, http.DefaultTransport, url, user, secret)
}

// ReceiveBy is like Receive, by a transport.
func ReceiveBy(t testing.TB, transport http.RoundTripper, url, user, secret string) *Stream {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url+"/invalidations", nil)
	must(t, err)
	request.SetBasicAuth(user, secret)
	return openStream(t, transport, request)
}

// ReceiveByForm is like Receive, with credentials in the body of a POST.
func (s *Server) ReceiveByForm(form string) *Stream {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.URL+"/oauth2/invalidations", strings.NewReader(form))
	must(s.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return openStream(s.t, http.DefaultTransport, request)
}

func openStream(t testing.TB, transport http.RoundTripper, request *http.Request) *Stream {
	t.Helper()
	response, err := transport.RoundTrip(request)
	must(t, err)
	stream := &Stream{t: t, events: make(chan Event, 100_000), response: response}
	t.Cleanup(stream.Close)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("no stream: %d", response.StatusCode)
	}
	go stream.read()
	if first := stream.Next(); first.Name != "ready" {
		t.Fatalf("the first event is %+v", first)
	}
	return stream
}

// Close ends the stream.
func (s *Stream) Close() { _ = s.response.Body.Close() } // it was only read

func (s *Stream) read() {
	defer close(s.events)
	var event Event
	lines := bufio.NewScanner(s.response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			event.Name = value
		case "data":
			event.Data = value
		case "":
			event.At = time.Now()
			s.events <- event
			event = Event{}
		}
	}
	s.err = lines.Err()
}

// Err returns nil if the stream has ended in order. It may be called after an event without a name.
func (s *Stream) Err() error { return s.err }

// nextWithin is how long to wait for an event.
const nextWithin = 5 * time.Second

// Next returns the next event, heartbeats included. The test fails if there is none within five seconds.
func (s *Stream) Next() Event {
	s.t.Helper()
	select {
	case event := <-s.events:
		return event
	case <-time.After(nextWithin):
		s.t.Fatalf("no event within %v", nextWithin)
		return Event{}
	}
}

// NextChange returns the next event that is not a heartbeat. It has no name if the stream has ended. The
// test fails if there are only heartbeats for five seconds.
func (s *Stream) NextChange() Event {
	s.t.Helper()
	limit := time.Now().Add(nextWithin)
	event := s.Next()
	for event.Name == "heartbeat" {
		if event.At.After(limit) {
			s.t.Fatalf("only heartbeats for %v", nextWithin)
		}
		event = s.Next()
	}
	return event
}

// Quiet returns the events other than heartbeats until the nth heartbeat from now.
func (s *Stream) Quiet(heartbeats int) (changes []Event) {
	s.t.Helper()
	for heartbeats > 0 {
		switch event := s.Next(); event.Name {
		case "heartbeat":
			heartbeats--
		case "":
			s.t.Fatal("the stream has ended")
		default:
			changes = append(changes, event)
		}
	}
	return changes
}
