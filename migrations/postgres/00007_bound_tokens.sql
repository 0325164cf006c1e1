-- +goose Up
ALTER TABLE oauth_client
    ADD COLUMN tls_client_certificate_bound_access_tokens BOOLEAN,
    ADD COLUMN dpop_bound_access_tokens                   BOOLEAN,
    ADD COLUMN allowed_resources                          TEXT,
    ADD COLUMN resource                                   TEXT;

COMMENT ON COLUMN oauth_client.tls_client_certificate_bound_access_tokens IS 'true: its tokens are bound to its certificate (RFC 8705 §3)';
COMMENT ON COLUMN oauth_client.dpop_bound_access_tokens IS 'true: its tokens are bound to a key, and it must send proofs (RFC 9449)';
COMMENT ON COLUMN oauth_client.allowed_resources IS 'separated by spaces: what its tokens may be for (RFC 8707), and are for if it names none';
COMMENT ON COLUMN oauth_client.resource IS 'of a resource server, separated by spaces: its own identifiers; null: it sees every token';

-- +goose Down
ALTER TABLE oauth_client
    DROP COLUMN tls_client_certificate_bound_access_tokens,
    DROP COLUMN dpop_bound_access_tokens,
    DROP COLUMN allowed_resources,
    DROP COLUMN resource;
