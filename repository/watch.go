package repository

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	channel = "chit_client"
	// heartbeat is the interval of heartbeats on the listening connection. It must be shorter than trust,
	// together with the time that the answer may take.
	heartbeat        = 250 * time.Millisecond
	heartbeatTimeout = 500 * time.Millisecond
	probeTimeout     = 2 * time.Second
	minPause         = 50 * time.Millisecond
	maxPause         = 500 * time.Millisecond
)

// errDeaf means that LISTEN succeeds but no notification arrives. A connection pooler between this server
// and the database can cause that.
var errDeaf = errors.New("LISTEN has no effect: connect to PostgreSQL directly, or through a pooler in session mode")

// Observer is told what Watch learns, after the cache has been changed. The methods must not block.
type Observer interface {
	ClientChanged(clientID string) // a client was changed or deleted
	AllChanged()                   // any client may have been changed
	Proven(until time.Time)        // every change that was committed before this time has been reported
	Lost()                         // changes may be missed from now on, until the next call of Proven
}

// Watch listens for the notifications that the database's triggers send, and invalidates changed rows in
// the cache. If it loses the connection, the cache uses no row for longer than a second, and Watch connects
// again. It returns when ctx ends.
func (c *Cache) Watch(ctx context.Context, databaseURL string, observer Observer, log *slog.Logger) error {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return withoutURL(err)
	}
	l := &listener{cache: c, observer: observer, config: &config.Config, log: log}
	l.config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { l.receive(n.Payload) }
	if l.config.ConnectTimeout == 0 {
		l.config.ConnectTimeout = connectTimeout
	}
	pause := minPause
	for ctx.Err() == nil {
		began := time.Now()
		err := l.listen(ctx)
		l.deaf()
		if time.Since(began) > maxPause {
			pause = minPause
		}
		if ctx.Err() == nil {
			l.lose("no notifications of client changes arrive, so each client is read again every second", "cause", explain(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
	return nil
}

// explain returns an error as one line.
func explain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// listener is the connection of Watch.
type listener struct {
	cache    *Cache
	observer Observer
	config   *pgconn.Config
	log      *slog.Logger
	probe    string // the payload that prove waits for
	probed   bool   // the payload has arrived

	loss   string    // message that was logged for the present loss; empty if there is none
	lostAt time.Time // when the loss began
}

// lose logs that no notifications arrive. It warns once for each message, because Watch tries again twice a
// second.
func (l *listener) lose(message string, attributes ...any) {
	level := slog.LevelDebug
	if l.loss != message {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, message, attributes...)
	if l.loss == "" {
		l.lostAt = time.Now()
	}
	l.loss = message
}

// regain logs that notifications arrive again. It uses the level of the loss, so that the same alerts get
// both lines.
func (l *listener) regain() {
	if l.loss == "" {
		return
	}
	l.loss = ""
	l.log.Warn("notifications of client changes arrive again", "lost_for", time.Since(l.lostAt).Round(time.Millisecond).String())
}

// receive handles the payload of a notification: = and the id of a changed client, * for all clients, or ?
// and a probe.
func (l *listener) receive(payload string) {
	kind, rest := payload[:min(1, len(payload))], payload[min(1, len(payload)):]
	switch {
	case kind == "=":
		l.cache.forget(rest)
		l.observer.ClientChanged(rest)
	case kind == "?":
		l.probed = l.probed || rest == l.probe
	default:
		l.forgetAll()
	}
}

func (l *listener) forgetAll() {
	l.cache.forgetAll()
	l.observer.AllChanged()
}

func (l *listener) deaf() {
	l.cache.deaf()
	l.observer.Lost()
}

// listen connects and receives notifications. It returns the reason when that fails.
func (l *listener) listen(ctx context.Context) error {
	conn, err := pgconn.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), heartbeatTimeout)
		defer cancel()
		conn.Close(ctx)
	}()
	if err := exec(ctx, conn, "LISTEN "+channel); err != nil {
		return err
	}
	// From here on no notification is missed. Rows that were read before may be out of date.
	since := time.Now()
	if err := l.prove(ctx, conn); err != nil {
		return err
	}
	l.log.Debug("listening for notifications of client changes")
	var known tables
	for {
		sent := time.Now()
		// The answer comes after all notifications that were sent before it.
		now, err := lookAtTables(ctx, conn)
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		if now != known && known != (tables{}) {
			l.forgetAll() // rows may have changed without a trigger
			since = sent
		}
		l.believe(now, since, sent)
		known = now
		if err := waitUntil(ctx, conn, sent.Add(heartbeat)); err != nil {
			return err
		}
	}
}

// believe records a heartbeat: every change until sent has been notified, unless the triggers are missing.
func (l *listener) believe(now tables, since, sent time.Time) {
	if now.announce {
		l.cache.heard(since, sent)
		l.observer.Proven(sent)
		l.regain()
		return
	}
	l.deaf()
	l.lose("triggers on the client tables are missing or disabled, so each client is read again every second: enable the triggers, or restore them from the migrations")
}

// prove sends a probe on another connection and waits for its notification.
func (l *listener) prove(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	l.probe, l.probed = rand.Text(), false
	sender, err := pgconn.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	defer sender.Close(ctx)
	if err := exec(ctx, sender, "NOTIFY "+channel+", '?"+l.probe+"'"); err != nil {
		return err
	}
	for !l.probed {
		if err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("%w: %w", errDeaf, err)
		}
	}
	return nil
}

// waitUntil receives notifications until the given time.
func waitUntil(ctx context.Context, conn *pgconn.PgConn, instant time.Time) error {
	waiting, cancel := context.WithDeadline(ctx, instant)
	defer cancel()
	for {
		err := conn.WaitForNotification(waiting)
		if waiting.Err() != nil {
			return ctx.Err() // the wait is over, or ctx has ended
		}
		if err != nil {
			return err
		}
	}
}

func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}
