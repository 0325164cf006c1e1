-- +goose Up
-- null: not used since it was retired
ALTER TABLE oauth_client_retired_secret ADD COLUMN last_used_at DATETIME;

-- +goose Down
ALTER TABLE oauth_client_retired_secret DROP COLUMN last_used_at;
