-- +goose Up
CREATE TABLE oauth_client_use (
    client_id     TEXT NOT NULL PRIMARY KEY,
    last_used_at  DATETIME,
    last_token_at DATETIME
);

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_use_on_delete AFTER DELETE ON oauth_client
BEGIN
    DELETE FROM oauth_client_use WHERE client_id = OLD.client_id;
END;
-- +goose StatementEnd

-- A new client has not been used, although its id may have been.
-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_use_on_insert AFTER INSERT ON oauth_client
BEGIN
    DELETE FROM oauth_client_use WHERE client_id = NEW.client_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_use_on_rename AFTER UPDATE OF client_id ON oauth_client
    WHEN NEW.client_id <> OLD.client_id
BEGIN
    DELETE FROM oauth_client_use WHERE client_id IN (OLD.client_id, NEW.client_id);
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER oauth_client_forget_use_on_rename;
DROP TRIGGER oauth_client_forget_use_on_insert;
DROP TRIGGER oauth_client_forget_use_on_delete;
DROP TABLE oauth_client_use;
