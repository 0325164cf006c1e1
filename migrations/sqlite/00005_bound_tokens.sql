-- +goose Up
-- true: its tokens are bound to its certificate (RFC 8705 §3)
ALTER TABLE oauth_client ADD COLUMN tls_client_certificate_bound_access_tokens BOOLEAN;
-- true: its tokens are bound to a key, and it must send proofs (RFC 9449)
ALTER TABLE oauth_client ADD COLUMN dpop_bound_access_tokens BOOLEAN;
-- separated by spaces: what its tokens may be for (RFC 8707), and are for if it names none
ALTER TABLE oauth_client ADD COLUMN allowed_resources TEXT;
-- of a resource server, separated by spaces: its own identifiers; null: it sees every token
ALTER TABLE oauth_client ADD COLUMN resource TEXT;

-- +goose Down
ALTER TABLE oauth_client DROP COLUMN resource;
ALTER TABLE oauth_client DROP COLUMN allowed_resources;
ALTER TABLE oauth_client DROP COLUMN dpop_bound_access_tokens;
ALTER TABLE oauth_client DROP COLUMN tls_client_certificate_bound_access_tokens;
