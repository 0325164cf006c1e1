-- +goose Up
ALTER TABLE oauth_client_retired_secret ADD COLUMN last_used_at TIMESTAMPTZ;

COMMENT ON COLUMN oauth_client_retired_secret.last_used_at IS 'null: not used since it was retired';

-- +goose Down
ALTER TABLE oauth_client_retired_secret DROP COLUMN last_used_at;
