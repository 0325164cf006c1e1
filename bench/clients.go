package main

import (
	"context"
	"fmt"

	"chit/bench/load"
	"chit/bench/stack"
)

// secret is the secret of every client.
const secret = "bench-secret"

// clients returns n clients.
func clients(n int) []load.Client {
	all := make([]load.Client, n)
	for i := range all {
		all[i] = load.Client{ID: fmt.Sprintf("bench-%d", i), Secret: secret}
	}
	return all
}

// resourceServer is the client that introspects.
var resourceServer = load.Client{ID: "bench-resource-server", Secret: secret}

// register adds n clients and the resource server to the database by SQL.
func register(ctx context.Context, s *stack.Stack, n int) error {
	columns := "client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public"
	values := fmt.Sprintf("encode(sha256('%s'), 'base64'), 'Benchmark', '', 'openid profile', 'client_credentials', false", secret)
	return s.SQL(ctx, fmt.Sprintf(`
		INSERT INTO oauth_client (%[1]s) SELECT 'bench-' || i, %[2]s FROM generate_series(0, %[3]d) AS i;
		INSERT INTO oauth_client (%[1]s, is_resource_server) VALUES ('%[4]s', %[2]s, true);`,
		columns, values, n-1, resourceServer.ID))
}
