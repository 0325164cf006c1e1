-- +goose Up
ALTER TABLE oauth_client
    ADD COLUMN token_endpoint_auth_method TEXT CHECK (token_endpoint_auth_method IN
        ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth')),
    ADD COLUMN jwks                       TEXT,
    ADD COLUMN jwks_uri                   TEXT,
    ADD COLUMN tls_client_auth_subject_dn TEXT,
    ADD COLUMN tls_client_auth_san_dns    TEXT,
    ADD COLUMN tls_client_auth_san_uri    TEXT,
    ADD CONSTRAINT oauth_client_keys_in_one_place CHECK (jwks IS NULL OR jwks_uri IS NULL);

COMMENT ON COLUMN oauth_client.token_endpoint_auth_method IS 'null: a secret by HTTP Basic or in the body; else exactly this method';
COMMENT ON COLUMN oauth_client.jwks IS 'the public keys of the client, as a JSON document (RFC 7517 §5)';
COMMENT ON COLUMN oauth_client.jwks_uri IS 'where that document is';
COMMENT ON COLUMN oauth_client.tls_client_auth_subject_dn IS 'subject of its certificate, as a text (RFC 4514)';
COMMENT ON COLUMN oauth_client.tls_client_auth_san_dns IS 'DNS name that its certificate must have';
COMMENT ON COLUMN oauth_client.tls_client_auth_san_uri IS 'URI that its certificate must have';

-- There is no foreign key: see oauth_client_forget_secrets.
CREATE TABLE oauth_client_federation (
    client_id VARCHAR(255) NOT NULL,
    issuer    TEXT         NOT NULL CHECK (issuer <> ''),
    subject   TEXT         NOT NULL CHECK (subject <> ''),
    audience  TEXT         NOT NULL CHECK (audience <> ''),
    jwks_uri  TEXT,
    PRIMARY KEY (client_id, issuer, subject, audience)
);

COMMENT ON TABLE oauth_client_federation IS 'tokens of other issuers that authenticate a client';
COMMENT ON COLUMN oauth_client_federation.subject IS 'a * at the end stands for any text';
COMMENT ON COLUMN oauth_client_federation.jwks_uri IS 'where the keys of the issuer are; null: in its discovery document';

-- A new client must not inherit the rows of a former one with its id.
-- +goose StatementBegin
CREATE FUNCTION oauth_client_forget_federation() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %I.oauth_client_federation', TG_TABLE_SCHEMA);
    ELSIF TG_OP = 'DELETE' OR NEW.client_id <> OLD.client_id THEN
        EXECUTE format('DELETE FROM %I.oauth_client_federation WHERE client_id = $1', TG_TABLE_SCHEMA) USING OLD.client_id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_forget_federation AFTER DELETE OR UPDATE OF client_id ON oauth_client
    FOR EACH ROW EXECUTE FUNCTION oauth_client_forget_federation();
CREATE TRIGGER oauth_client_forget_all_federation AFTER TRUNCATE ON oauth_client
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_forget_federation();

-- The function works for every table with a client_id.
CREATE TRIGGER oauth_client_federation_notify AFTER INSERT OR DELETE OR UPDATE ON oauth_client_federation
    FOR EACH ROW EXECUTE FUNCTION oauth_client_retired_secret_notify();
CREATE TRIGGER oauth_client_federation_notify_truncate AFTER TRUNCATE ON oauth_client_federation
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_retired_secret_notify();
ALTER TABLE oauth_client_federation ENABLE ALWAYS TRIGGER oauth_client_federation_notify;
ALTER TABLE oauth_client_federation ENABLE ALWAYS TRIGGER oauth_client_federation_notify_truncate;

-- +goose Down
DROP TRIGGER oauth_client_forget_all_federation ON oauth_client;
DROP TRIGGER oauth_client_forget_federation ON oauth_client;
DROP FUNCTION oauth_client_forget_federation;
DROP TABLE oauth_client_federation;
ALTER TABLE oauth_client
    DROP COLUMN token_endpoint_auth_method,
    DROP COLUMN jwks,
    DROP COLUMN jwks_uri,
    DROP COLUMN tls_client_auth_subject_dn,
    DROP COLUMN tls_client_auth_san_dns,
    DROP COLUMN tls_client_auth_san_uri;
