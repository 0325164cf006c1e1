package main

import (
	"context"
	"fmt"

	"chit/bench/load"
	"chit/bench/stack"
)

// secret is that of every client.
const secret = "bench-secret"

// clients returns n of them.
func clients(n int) []load.Client {
	all := make([]load.Client, n)
	for i := range all {
		all[i] = load.Client{ID: fmt.Sprintf("bench-%d", i), Secret: secret}
	}
	return all
}

// resourceServer is who introspects.
var resourceServer = load.Client{ID: "bench-resource-server", Secret: secret}

// register writes n clients and the resource server into the database, as an operator does.
func register(ctx context.Context, s *stack.Stack, n int) error {
	columns := "client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public"
	values := fmt.Sprintf("encode(sha256('%s'), 'base64'), 'Benchmark', '', 'openid profile', 'client_credentials', false", secret)
	return s.SQL(ctx, fmt.Sprintf(`
		INSERT INTO oauth_client (%[1]s) SELECT 'bench-' || i, %[2]s FROM generate_series(0, %[3]d) AS i;
		INSERT INTO oauth_client (%[1]s, is_resource_server) VALUES ('%[4]s', %[2]s, true);`,
		columns, values, n-1, resourceServer.ID))
}
