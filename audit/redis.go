package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/models"
)

const (
	keyPrefix = "oauth:audit:"      // of the streams, before the name of their events
	lifetime  = 30 * 24 * time.Hour // of a stream after its last event
	queue     = 1024                // events that wait to be written
	batch     = 128                 // events in one round trip
	chunk     = 500                 // events that are read in one round trip
	scanned   = 50_000              // events of a name that Latest looks at
	timeout   = 2 * time.Second     // of a round trip
	fieldName = "event"
)

// Shared keeps the latest events of all nodes in Redis, in a stream for each name. So frequent events, which strangers
// can cause, do not push out rare ones. Use NewShared.
type Shared struct {
	redis   redis.UniversalClient
	most    int64
	waiting chan Event
	dropped atomic.Int64
}

// NewShared returns a Shared that keeps about most events of each name.
func NewShared(client redis.UniversalClient, most int) *Shared {
	return &Shared{redis: client, most: int64(most), waiting: make(chan Event, queue)}
}

// Send queues an event for Run. If too many are waiting, the event is only in the log. Half of the places are for
// what operators do.
func (s *Shared) Send(e Event) {
	if e.Operator == "" && len(s.waiting) >= queue/2 {
		s.dropped.Add(1)
		return
	}
	select {
	case s.waiting <- e:
	default:
		s.dropped.Add(1)
	}
}

// Dropped returns the number of events that could not be written.
func (s *Shared) Dropped() int64 { return s.dropped.Load() }

// Run writes the events that are sent, until ctx ends. It writes those that wait then.
func (s *Shared) Run(ctx context.Context, log *slog.Logger) {
	failing := false
	for {
		var events []Event
		select {
		case e := <-s.waiting:
			events = append(events, e)
		case <-ctx.Done():
		}
		for len(events) < batch && len(s.waiting) > 0 {
			events = append(events, <-s.waiting)
		}
		if len(events) == 0 {
			return // ctx has ended
		}
		err := s.Write(context.WithoutCancel(ctx), events...)
		if err != nil {
			s.dropped.Add(int64(len(events)))
			if !failing {
				log.Warn("events of the audit trail cannot be kept in Redis; they are in the log", "cause", err.Error())
			}
		}
		failing = err != nil
	}
}

// Write stores events. It returns an error that wraps models.ErrUnavailable if Redis fails.
func (s *Shared) Write(ctx context.Context, events ...Event) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range events {
			p.XAdd(ctx, &redis.XAddArgs{Stream: keyPrefix + e.Name, MaxLen: s.most, Approx: true, Values: e.fields()})
			p.Expire(ctx, keyPrefix+e.Name, lifetime)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write events: %w: %w", models.ErrUnavailable, err)
	}
	return nil
}

func (e Event) fields() []string {
	return []string{
		fieldName, e.Name, "at", strconv.FormatInt(e.At.UnixMilli(), 10), "client_id", e.ClientID, "operator", e.Operator, "jti", e.TokenID,
		"remote", e.Remote, "request_id", e.RequestID, "node", e.Node, "detail", e.Detail,
	}
}

// Latest returns events of all nodes, the latest first, at most limit. It looks at the latest 50,000 events of each
// name. It returns an error that wraps models.ErrUnavailable if Redis fails.
func (s *Shared) Latest(ctx context.Context, filter Filter, limit int) (found []Event, err error) {
	for _, name := range Names {
		if filter.Name != "" && filter.Name != name {
			continue
		}
		events, err := s.latest(ctx, name, filter, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, events...)
	}
	return latestFirst(found, limit), nil
}

// latest returns events with this name.
func (s *Shared) latest(ctx context.Context, name string, filter Filter, limit int) (found []Event, err error) {
	before := "+"
	for looked := 0; len(found) < limit && looked < scanned; looked += chunk {
		entries, err := s.redis.XRevRangeN(ctx, keyPrefix+name, before, "-", chunk).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("read events: %w: %w", models.ErrUnavailable, err)
		}
		for _, entry := range entries {
			if e := eventOf(entry.Values); filter.matches(e) && len(found) < limit {
				found = append(found, e)
			}
		}
		if len(entries) < chunk {
			break
		}
		before = "(" + entries[len(entries)-1].ID
	}
	return found, nil
}

// eventOf decodes an entry of the stream. Fields that are not there are empty.
func eventOf(values map[string]any) Event {
	get := func(name string) string {
		text, _ := values[name].(string)
		return text
	}
	milliseconds, _ := strconv.ParseInt(get("at"), 10, 64)
	return Event{
		At: time.UnixMilli(milliseconds), Name: get(fieldName), ClientID: get("client_id"), Operator: get("operator"), TokenID: get("jti"),
		Remote: get("remote"), RequestID: get("request_id"), Node: get("node"), Detail: get("detail"),
	}
}
