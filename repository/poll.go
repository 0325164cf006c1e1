package repository

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"
)

// pollInterval is how often Poll looks for changes.
const pollInterval = 25 * time.Millisecond

// pollSQL has one text for each client. It changes with everything that decides whether the client's tokens
// are in force, which tokens it may see, and how it authenticates.
const pollSQL = `SELECT client_id, quote(client_secret_hash) || quote(is_public) || quote(is_resource_server) || quote(disabled_at)
	|| quote(tokens_revoked_before) || quote(created_at) || quote(token_endpoint_auth_method) || quote(jwks) || quote(jwks_uri)
	|| quote(tls_client_auth_subject_dn) || quote(tls_client_auth_san_dns) || quote(tls_client_auth_san_uri)
	|| quote(resource)
	|| quote((SELECT group_concat(secret_hash || expires_at) FROM oauth_client_retired_secret AS retired WHERE retired.client_id = oauth_client.client_id))
	|| quote((SELECT group_concat(quote(issuer) || quote(subject) || quote(audience) || quote(jwks_uri)) FROM oauth_client_federation AS federation
		WHERE federation.client_id = oauth_client.client_id))
	FROM oauth_client`

// Poll reports changes of clients in SQLite to observer, also those of other processes, until ctx ends.
// SQLite sends no notifications. But it has a number that tells whether another connection has changed the
// file.
func (c *Clients) Poll(ctx context.Context, observer Observer, log *slog.Logger) {
	for ctx.Err() == nil {
		err := c.poll(ctx, observer)
		observer.Lost()
		if !errors.Is(err, context.Canceled) {
			log.Warn("changes of clients in the SQLite file cannot be read: resource servers ask about each token", "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(maxPause):
		}
	}
}

// poll reads the clients whenever the file has changed. It returns the first failure.
func (c *Clients) poll(ctx context.Context, observer Observer) error {
	conn, err := c.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var known map[string]string
	var version int64
	for {
		began, last := time.Now(), version
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
			return err
		}
		if known == nil || version != last {
			now, err := clientStates(ctx, conn)
			if err != nil {
				return err
			}
			if known != nil {
				reportChanges(known, now, observer)
			}
			known = now
		}
		observer.Proven(began)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// clientStates returns the text of pollSQL for each client.
func clientStates(ctx context.Context, conn *sql.Conn) (map[string]string, error) {
	rows, err := conn.QueryContext(ctx, pollSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	states := map[string]string{}
	for rows.Next() {
		var id, state string
		if err := rows.Scan(&id, &state); err != nil {
			return nil, err
		}
		states[id] = state
	}
	return states, rows.Err()
}

// reportChanges reports the clients that are different, gone or new. A new client may have been changed since
// it was added, or may have replaced another one with its id.
func reportChanges(before, now map[string]string, observer Observer) {
	for id, state := range before {
		if now[id] != state {
			observer.ClientChanged(id)
		}
	}
	for id := range now {
		if _, known := before[id]; !known {
			observer.ClientChanged(id)
		}
	}
}
