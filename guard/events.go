package guard

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

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

const (
	// maxLine is the length of the longest line that is read, in bytes.
	maxLine = 16 << 10
	// drift is how much later each heartbeat may be than the one before, because no two clocks run equally
	// fast.
	drift = int64(time.Millisecond)
)

var (
	errEndStream = errors.New("the server has ended the stream")
	errLongLine  = errors.New("a line of the stream is too long")
)

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
