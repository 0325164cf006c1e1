package pages

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"chit/models"
)

const (
	figuresInterval = 2 * time.Second
	chartsInterval  = 30 * time.Second
	sessionInterval = 10 * time.Second // how often a stream checks that its session goes on
	maxStreams      = 100
)

var errTooManyStreams = &fault{http.StatusServiceUnavailable, "Too many consoles show live figures", "Close some of them."}

// enter returns a channel that is closed when the streams must end.
func (s *streams) enter() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= maxStreams || s.over {
		return nil, errTooManyStreams
	}
	if s.ended == nil {
		s.ended = make(chan struct{})
	}
	s.open++
	return s.ended, nil
}

func (s *streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil && !s.over {
		close(s.ended)
	}
	s.over = true
}

// live is GET /live: server-sent events with parts of the overview as HTML. The event "ended" means that the session
// has ended.
func (v *visit) live() error {
	over, err := v.streams.enter()
	if err != nil {
		return err
	}
	defer v.streams.leave()
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no")                      // nginx would hold the events back
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Time{}) // a writer of a test may have none
	figures, charts, session := time.NewTicker(figuresInterval), time.NewTicker(chartsInterval), time.NewTicker(sessionInterval)
	defer figures.Stop()
	defer charts.Stop()
	defer session.Stop()
	for err = v.sendFigures(); err == nil; {
		select {
		case <-figures.C:
			err = v.sendFigures()
		case <-charts.C:
			err = v.sendCharts()
		case <-session.C:
			if _, failure := v.ActiveToken(v.context(), v.seed); errors.Is(failure, models.ErrTokenNotFound) {
				_ = v.send("ended", nil) // the browser may be gone
				return nil
			}
		case <-over:
			return nil
		case <-v.context().Done():
			return nil
		}
	}
	return nil // the browser has gone
}

func (v *visit) sendFigures() error {
	return v.sendPart("figures", v.figures(context.WithoutCancel(v.context())))
}

func (v *visit) sendCharts() error {
	return v.sendPart("charts", charts(v.Usage.Minutes(), v.Now()))
}

func (v *visit) sendPart(name string, page any) error {
	var part bytes.Buffer
	if err := templates()["overview"].ExecuteTemplate(&part, name, page); err != nil {
		return err
	}
	return v.send(name, part.Bytes())
}

// send sends an event. A browser that does not read is given up.
func (v *visit) send(event string, data []byte) error {
	control := http.NewResponseController(v.w)
	_ = control.SetWriteDeadline(time.Now().Add(requestTimeout)) // a writer of a test may have none
	message := "event: " + event + "\n"
	for line := range strings.SplitSeq(string(data), "\n") {
		message += "data: " + line + "\n"
	}
	if _, err := v.w.Write([]byte(message + "\n")); err != nil {
		return err
	}
	return control.Flush()
}
