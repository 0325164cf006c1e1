-- +goose Up
-- null: a secret by HTTP Basic or in the body; else exactly this method
ALTER TABLE oauth_client ADD COLUMN token_endpoint_auth_method TEXT CHECK (token_endpoint_auth_method IN
    ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'));
ALTER TABLE oauth_client ADD COLUMN jwks TEXT;
ALTER TABLE oauth_client ADD COLUMN jwks_uri TEXT CHECK (jwks IS NULL OR jwks_uri IS NULL);
ALTER TABLE oauth_client ADD COLUMN tls_client_auth_subject_dn TEXT;
ALTER TABLE oauth_client ADD COLUMN tls_client_auth_san_dns TEXT;
ALTER TABLE oauth_client ADD COLUMN tls_client_auth_san_uri TEXT;

-- Tokens of other issuers that authenticate a client. A * at the end of subject stands for any text.
CREATE TABLE oauth_client_federation (
    client_id TEXT NOT NULL,
    issuer    TEXT NOT NULL CHECK (issuer <> ''),
    subject   TEXT NOT NULL CHECK (subject <> ''),
    audience  TEXT NOT NULL CHECK (audience <> ''),
    jwks_uri  TEXT, -- null: in the discovery document of the issuer
    PRIMARY KEY (client_id, issuer, subject, audience)
);

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_federation_on_delete AFTER DELETE ON oauth_client
BEGIN
    DELETE FROM oauth_client_federation WHERE client_id = OLD.client_id;
END;
-- +goose StatementEnd

-- INSERT OR REPLACE deletes a row without firing the trigger above.
-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_federation_on_insert AFTER INSERT ON oauth_client
BEGIN
    DELETE FROM oauth_client_federation WHERE client_id = NEW.client_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER oauth_client_forget_federation_on_rename AFTER UPDATE OF client_id ON oauth_client
    WHEN NEW.client_id <> OLD.client_id
BEGIN
    DELETE FROM oauth_client_federation WHERE client_id = OLD.client_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER oauth_client_forget_federation_on_rename;
DROP TRIGGER oauth_client_forget_federation_on_insert;
DROP TRIGGER oauth_client_forget_federation_on_delete;
DROP TABLE oauth_client_federation;
ALTER TABLE oauth_client DROP COLUMN tls_client_auth_san_uri;
ALTER TABLE oauth_client DROP COLUMN tls_client_auth_san_dns;
ALTER TABLE oauth_client DROP COLUMN tls_client_auth_subject_dn;
ALTER TABLE oauth_client DROP COLUMN jwks_uri;
ALTER TABLE oauth_client DROP COLUMN jwks;
ALTER TABLE oauth_client DROP COLUMN token_endpoint_auth_method;
