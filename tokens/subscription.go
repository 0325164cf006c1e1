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

// probePrefix is the prefix of the keys that an ear writes to prove that it hears. It is also the only
// prefix whose keys are tracked. FLUSHALL and FLUSHDB are told to every connection that tracks.
const probePrefix = "oauth:probe:"

// ends are the keyspace events of a key that is gone for another reason than its expiry.
var ends = []string{"del", "evicted", "rename_from", "move_from"}

var (
	errNoEvents   = errors.New("no keyspace events arrive: set notify-keyspace-events of Redis to Ege")
	errNoTracking = errors.New("no invalidation messages of CLIENT TRACKING arrive")
	errNoSlot     = errors.New("a primary of the Cluster has no slot for a probe")
)

// ear is a connection that listens to one Redis server.
type ear struct {
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

// openEar connects to a server, of the Cluster or alone.
func openEar(ctx context.Context, all redis.UniversalClient, server *redis.Client, observer Observer) (*ear, error) {
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
	e := &ear{server: server, own: redis.NewClient(&options), observer: observer, probe: probe}
	if err := e.own.RegisterPushNotificationHandler("invalidate", invalidations{e}, true); err != nil {
		return nil, errors.Join(err, e.own.Close())
	}
	channels := make([]string, len(ends))
	for i, event := range ends {
		channels[i] = fmt.Sprintf("__keyevent@%d__:%s", options.DB, event)
	}
	e.events = e.own.Subscribe(ctx, channels...)
	for range channels {
		if _, err := e.events.ReceiveTimeout(ctx, openTimeout); err != nil {
			e.close()
			return nil, err
		}
	}
	return e, nil
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

// turnOnEvents adds the events of ear to those that the server sends.
func (e *ear) turnOnEvents(ctx context.Context) error {
	const setting = "notify-keyspace-events"
	now, err := e.server.ConfigGet(ctx, setting).Result()
	if err != nil {
		return err
	}
	flags := now[setting]
	for _, flag := range "Ege" { // events by name; of the generic commands, and evictions
		if flag == 'E' || !strings.ContainsRune(flags, 'A') { // A stands for g and e, among others
			flags = strings.ReplaceAll(flags, string(flag), "") + string(flag)
		}
	}
	return e.server.ConfigSet(ctx, setting, flags).Err()
}

// receive reports events until the connection ends.
func (e *ear) receive(ctx context.Context) error {
	for {
		received, err := e.events.Receive(ctx)
		if err != nil {
			return err
		}
		if message, is := received.(*redis.Message); is {
			e.gone(message.Payload)
		}
	}
}

// gone handles the event of a key that is gone.
func (e *ear) gone(key string) {
	if id, is := strings.CutPrefix(key, KeyPrefix); is {
		e.observer.TokenEnded(id)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if key == e.present() {
		e.deleted = true
		e.conclude()
	}
}

// invalidations handles the invalidation messages of an ear. They list keys of probes, or nothing if the
// database was emptied.
type invalidations struct{ *ear }

// HandlePushNotification handles an invalidation message.
func (i invalidations) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, message []any) error {
	keys, listed := []any(nil), false
	if len(message) == 2 {
		keys, listed = message[1].([]any)
	}
	if !listed {
		i.observer.AllChanged()
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, key := range keys {
		i.tracked = i.tracked || key == i.present()
	}
	i.conclude()
	return nil
}

// present returns the key of the present probe. The caller holds the lock.
func (e *ear) present() string { return fmt.Sprintf("%s:%d", e.probe, e.number) }

// conclude ends the proof if both messages have arrived. The caller holds the lock.
func (e *ear) conclude() {
	if e.deleted && e.tracked && e.proven != nil {
		close(e.proven)
		e.proven = nil
	}
}

// firstProof is like prove. If Redis sends no keyspace events, it turns them on and tries again.
func (e *ear) firstProof(ctx context.Context) error {
	brief, cancel := context.WithTimeout(ctx, proofTimeout/2)
	defer cancel()
	err := e.prove(brief)
	if !errors.Is(err, errNoEvents) {
		return err
	}
	if refused := e.turnOnEvents(ctx); refused != nil {
		return fmt.Errorf("%w: %w", err, refused)
	}
	return e.prove(ctx)
}

// prove writes and deletes a key, and waits until both messages about that have arrived. Redis sends
// messages in the order of the changes, so all earlier ones have arrived, too.
func (e *ear) prove(ctx context.Context) error {
	e.mu.Lock()
	e.number++
	e.deleted, e.tracked = false, false
	proven := make(chan struct{})
	e.proven = proven
	key := e.present()
	e.mu.Unlock()
	_, err := e.server.Pipelined(ctx, func(p redis.Pipeliner) error {
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
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.tracked && !e.deleted:
		return errNoEvents
	case e.deleted && !e.tracked:
		return errNoTracking
	}
	return ctx.Err()
}

// close ends the connection, and with it receive.
func (e *ear) close() {
	_ = e.events.Close() // nothing was written on it
	_ = e.own.Close()
}
