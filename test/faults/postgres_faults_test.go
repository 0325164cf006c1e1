//go:build faults

package faults_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/migrations"
	"chit/repository"
)

var postgresFaults = []fault{
	{
		name:  "PostgreSQL stopped and started again",
		stack: database,
		begin: func(s *stack) { s.postgres.Stop() },
		end:   func(s *stack) { s.postgres.Start(); s.change(s.database) },
	},
	{
		name:  "PostgreSQL killed and restarted",
		stack: database,
		begin: func(s *stack) { s.postgres.Kill() },
		end:   func(s *stack) { s.postgres.Start(); s.change(s.database) },
	},
	{
		name:  "PostgreSQL failed over to the second host of the URL",
		stack: twoDatabases,
		begin: func(s *stack) { s.postgres.Kill(); s.change(s.second.URL) },
		end:   func(*stack) {},
	},
	{
		name:  "pg_terminate_backend of the listener, ten times",
		stack: database,
		begin: func(s *stack) {
			for range 10 {
				apptest.Psql(s.t, s.database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN chit_client' OR query LIKE '-- heartbeat%'")
				time.Sleep(outage / 10)
			}
			s.change(s.database)
		},
	},
}

// database returns a stack with two servers and its own PostgreSQL.
func database(t testing.TB) *stack {
	p := apptest.StartPostgreSQL(t)
	s := &stack{t: t, postgres: p, database: p.URL, redis: apptest.StartRedis(t)}
	return s.serve(2, s.database, s.redis.URL)
}

// twoDatabases returns a stack whose servers know two hosts. The second host has the same clients, like a
// standby that was promoted.
func twoDatabases(t testing.TB) *stack {
	s := &stack{t: t, postgres: apptest.StartPostgreSQL(t), second: apptest.StartPostgreSQL(t), redis: apptest.StartRedis(t)}
	s.database = s.postgres.URL
	first, err := url.Parse(s.postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(s.second.URL)
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, s.second.URL)
	password, _ := first.User.Password()
	apptest.Psql(t, s.second.URL, clientsSQL+"; ALTER ROLE chit PASSWORD '"+password+"'")
	second.User = first.User
	s.second.URL = second.String()
	first.Host += "," + second.Host
	return s.serve(2, first.String(), s.redis.URL)
}

func migrate(t testing.TB, databaseURL string) {
	t.Helper()
	clients, err := repository.OpenPostgreSQL(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	if _, err := migrations.Up(t.Context(), clients.DB(), migrations.PostgreSQL); err != nil {
		t.Fatal(err)
	}
}

// change changes a client that every node knows. The change must be in force on all nodes within a second.
func (s *stack) change(databaseURL string) {
	s.t.Helper()
	apptest.Psql(s.t, databaseURL, "UPDATE oauth_client SET allowed_scopes = 'changed' WHERE client_id = '"+changing+"'")
	took := eventually(s.t, 5*time.Second, "a change is in force on every node", func() bool {
		for _, node := range s.nodes {
			if scope(node) != "changed" {
				return false
			}
		}
		return true
	})
	if took > time.Second {
		s.t.Errorf("a change was in force after %v", took)
	}
	apptest.Psql(s.t, databaseURL, "UPDATE oauth_client SET allowed_scopes = 'read' WHERE client_id = '"+changing+"'")
}

// scope returns the scope that a node grants to the client that changes.
func scope(node *chit) string {
	request, err := http.NewRequest(http.MethodPost, node.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(changing, secret)
	_, _, body, err := do(http.DefaultClient, request)
	if err != nil {
		return err.Error()
	}
	return member[string](body, "scope")
}
