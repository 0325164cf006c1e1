package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
)

// probePrefix is the prefix of the keys that a subscription writes to prove that it hears. It is also the only
// prefix whose keys are tracked. FLUSHALL and FLUSHDB are told to every connection that tracks.
const probePrefix = "oauth:probe:"

// ends are the keyspace events of a key that is gone for another reason than its expiry.
var ends = []string{"del", "evicted", "rename_from", "move_from"}

var (
	errNoEvents   = errors.New("no keyspace events arrive: set notify-keyspace-events of Redis to Ege")
	errNoTracking = errors.New("no invalidation messages of CLIENT TRACKING arrive")
	errNoSlot     = errors.New("a primary of the Cluster has no slot for a probe")
)

// subscription is a connection on which one Redis server sends its messages.
type subscription struct {
	server   *redis.Client // for commands
	own      *redis.Client // of the listening connection
	events   *redis.PubSub
	observer Observer
	probe    string // prefix of its probes; in a Cluster the server has their slot

	mu      sync.Mutex // guards the fields below
	number  int        // of the present probe
	deleted bool       // its event has arrived
	tracked bool       // its invalidation message has arrived
	proven  chan struct{}
}

// subscribe connects to a server, of the Cluster or alone.
func subscribe(ctx context.Context, all redis.UniversalClient, server *redis.Client, observer Observer) (*subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	probe, err := probeFor(ctx, all, server)
	if err != nil {
		return nil, err
	}
	options := *server.Options()
	options.Protocol = 3 // carries events and invalidation messages on one connection
	options.PushNotificationProcessor = nil
	options.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		return conn.Do(ctx, "client", "tracking", "on", "bcast", "prefix", probePrefix).Err()
	}
	s := &subscription{server: server, own: redis.NewClient(&options), observer: observer, probe: probe}
	if err := s.own.RegisterPushNotificationHandler("invalidate", pushHandler{s}, true); err != nil {
		return nil, errors.Join(err, s.own.Close())
	}
	channels := make([]string, len(ends))
	for i, event := range ends {
		channels[i] = fmt.Sprintf("__keyevent@%d__:%s", options.DB, event)
	}
	s.events = s.own.Subscribe(ctx, channels...)
	for range channels {
		if _, err := s.events.ReceiveTimeout(ctx, openTimeout); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// probeFor returns a prefix for probes whose keys are on the server.
func probeFor(ctx context.Context, all redis.UniversalClient, server *redis.Client) (string, error) {
	random := probePrefix + rand.Text()
	cluster, is := all.(*redis.ClusterClient)
	if !is {
		return random, nil
	}
	const tries = 100_000 // of 16,384 slots
	for i := range tries {
		probe := fmt.Sprintf("%s{%d}", random, i)
		primary, err := cluster.MasterForKey(ctx, probe)
		if err != nil {
			return "", err
		}
		if primary == server {
			return probe, nil
		}
	}
	return "", errNoSlot
}

// turnOnEvents adds the events in ends to those that the server sends.
func (s *subscription) turnOnEvents(ctx context.Context) error {
	const setting = "notify-keyspace-events"
	now, err := s.server.ConfigGet(ctx, setting).Result()
	if err != nil {
		return err
	}
	flags := now[setting]
	for _, flag := range "Ege" { // events by name; of the generic commands, and evictions
		if flag == 'E' || !strings.ContainsRune(flags, 'A') { // A stands for g and e, among others
			flags = strings.ReplaceAll(flags, string(flag), "") + string(flag)
		}
	}
	return s.server.ConfigSet(ctx, setting, flags).Err()
}

// receive reports events until the connection ends.
func (s *subscription) receive(ctx context.Context) error {
	for {
		received, err := s.events.Receive(ctx)
		if err != nil {
			return err
		}
		if message, is := received.(*redis.Message); is {
			s.gone(message.Payload)
		}
	}
}

// gone handles the event of a key that is gone.
func (s *subscription) gone(key string) {
	if id, is := strings.CutPrefix(key, KeyPrefix); is {
		s.observer.TokenEnded(id)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == s.present() {
		s.deleted = true
		s.conclude()
	}
}

// pushHandler handles the invalidation messages of a subscription. They list keys of probes, or nothing if the
// database was emptied.
type pushHandler struct{ *subscription }

// HandlePushNotification handles an invalidation message.
func (h pushHandler) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, message []any) error {
	keys, listed := []any(nil), false
	if len(message) == 2 {
		keys, listed = message[1].([]any)
	}
	if !listed {
		h.observer.AllChanged()
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		h.tracked = h.tracked || key == h.present()
	}
	h.conclude()
	return nil
}

// present returns the key of the present probe. The caller holds the lock.
func (s *subscription) present() string { return fmt.Sprintf("%s:%d", s.probe, s.number) }

// conclude ends the proof if both messages have arrived. The caller holds the lock.
func (s *subscription) conclude() {
	if s.deleted && s.tracked && s.proven != nil {
		close(s.proven)
		s.proven = nil
	}
}

// firstProof is like prove. If Redis sends no keyspace events, it turns them on and tries again.
func (s *subscription) firstProof(ctx context.Context) error {
	brief, cancel := context.WithTimeout(ctx, proofTimeout/2)
	defer cancel()
	err := s.prove(brief)
	if !errors.Is(err, errNoEvents) {
		return err
	}
	if refused := s.turnOnEvents(ctx); refused != nil {
		return fmt.Errorf("%w: %w", err, refused)
	}
	return s.prove(ctx)
}

// prove writes and deletes a key, and waits until both messages about that have arrived. Redis sends
// messages in the order of the changes, so all earlier ones have arrived, too.
func (s *subscription) prove(ctx context.Context) error {
	s.mu.Lock()
	s.number++
	s.deleted, s.tracked = false, false
	proven := make(chan struct{})
	s.proven = proven
	key := s.present()
	s.mu.Unlock()
	_, err := s.server.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, key, "1", openTimeout)
		p.Del(ctx, key)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-proven:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.tracked && !s.deleted:
		return errNoEvents
	case s.deleted && !s.tracked:
		return errNoTracking
	}
	return ctx.Err()
}

// close ends the connection, and with it receive.
func (s *subscription) close() {
	_ = s.events.Close() // nothing was written on it
	_ = s.own.Close()
}
