-- +goose Up
CREATE TABLE oauth_client (
    client_id             TEXT     NOT NULL PRIMARY KEY CHECK (length(client_id) BETWEEN 1 AND 255),
    client_secret_hash    TEXT     NOT NULL DEFAULT '',
    client_name           TEXT     NOT NULL DEFAULT '',
    redirect_uris         TEXT     NOT NULL DEFAULT '',
    allowed_scopes        TEXT     NOT NULL DEFAULT '',
    grant_types           TEXT     NOT NULL DEFAULT 'client_credentials',
    is_public             BOOLEAN  NOT NULL DEFAULT false,
    is_resource_server    BOOLEAN  NOT NULL DEFAULT false,
    token_ttl_seconds     INTEGER  CHECK (token_ttl_seconds BETWEEN 1 AND 2147483647),
    disabled_at           DATETIME,
    tokens_revoked_before DATETIME,
    created_at            DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at            DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- There is no foreign key, because the sqlite3 shell does not enforce it by default. The triggers below replace it.
CREATE TABLE oauth_client_retired_secret (
    client_id   TEXT     NOT NULL,
    secret_hash TEXT     NOT NULL CHECK (secret_hash <> ''),
    expires_at  DATETIME NOT NULL,
    PRIMARY KEY (client_id, secret_hash)
);

-- +goose StatementBegin
CREATE TRIGGER oauth_client_touch AFTER UPDATE ON oauth_client
    WHEN NEW.updated_at = OLD.updated_at
BEGIN
    UPDATE oauth_client SET updated_at = CURRENT_TIMESTAMP WHERE client_id = NEW.client_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_secrets_on_delete AFTER DELETE ON oauth_client
BEGIN
    DELETE FROM oauth_client_retired_secret WHERE client_id = OLD.client_id;
END;
-- +goose StatementEnd

-- INSERT OR REPLACE deletes a row without firing the trigger above.
-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_secrets_on_insert AFTER INSERT ON oauth_client
BEGIN
    DELETE FROM oauth_client_retired_secret WHERE client_id = NEW.client_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_secrets_on_rename AFTER UPDATE OF client_id ON oauth_client
    WHEN NEW.client_id <> OLD.client_id
BEGIN
    DELETE FROM oauth_client_retired_secret WHERE client_id = OLD.client_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE oauth_client_retired_secret;
DROP TABLE oauth_client;
