package handlers_test

import (
	"testing"

	"chit/app/apptest"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// The secret of every client in the tests, and its hash.
const (
	secret     = "s3cret"
	secretHash = "HsHCa1DV08WNlYMYGvgHZlX+AHVr9yhZQLo2cPmfy6A="
)

// register adds the clients of the tests by SQL, as operators do.
func register(s *apptest.Server) *apptest.Server {
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public) VALUES
		('alice',      '` + secretHash + `', 'Alice',      '', 'read write', 'client_credentials', false),
		('bob',        '` + secretHash + `', 'Bob',        '', 'read',       'client_credentials', false),
		('scopeless',  '` + secretHash + `', 'Scopeless',  '', '',           'client_credentials', false),
		('browser',    '` + secretHash + `', 'Browser',    '', 'read',       'authorization_code', false),
		('public',     '',                    'Public',     '', 'read',       'client_credentials', true),
		('hashless',   '',                    'Hashless',   '', 'read',       'client_credentials', false),
		('odd id+%41', '` + secretHash + `', 'Odd',        '', 'read',       'client_credentials', false)`)
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, disabled_at) VALUES ('disabled', '` + secretHash + `', CURRENT_TIMESTAMP)`)
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '` + secretHash + `', true)`)
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash, token_ttl_seconds) VALUES ('brief', '` + secretHash + `', 90)`)
	return s
}
