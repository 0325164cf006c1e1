-- +goose Up
CREATE TABLE oauth_client (
    client_id             VARCHAR(255) PRIMARY KEY CHECK (client_id <> ''),
    client_secret_hash    TEXT        NOT NULL DEFAULT '',
    client_name           TEXT        NOT NULL DEFAULT '',
    redirect_uris         TEXT        NOT NULL DEFAULT '',
    allowed_scopes        TEXT        NOT NULL DEFAULT '',
    grant_types           TEXT        NOT NULL DEFAULT 'client_credentials',
    is_public             BOOLEAN     NOT NULL DEFAULT false,
    is_resource_server    BOOLEAN     NOT NULL DEFAULT false,
    token_ttl_seconds     INTEGER     CHECK (token_ttl_seconds > 0),
    disabled_at           TIMESTAMPTZ,
    tokens_revoked_before TIMESTAMPTZ,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at            TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON COLUMN oauth_client.client_secret_hash IS 'base64(SHA-256(secret)); empty: nobody can authenticate';
COMMENT ON COLUMN oauth_client.allowed_scopes IS 'separated by spaces';
COMMENT ON COLUMN oauth_client.grant_types IS 'separated by spaces or commas';
COMMENT ON COLUMN oauth_client.token_ttl_seconds IS 'null: the lifetime that the server is set to';
COMMENT ON COLUMN oauth_client.disabled_at IS 'not null: the client and its tokens are refused';
COMMENT ON COLUMN oauth_client.tokens_revoked_before IS 'tokens issued at or before this instant are inactive';

-- There is no foreign key, because with one PostgreSQL refuses TRUNCATE oauth_client. The triggers below replace it.
CREATE TABLE oauth_client_retired_secret (
    client_id   VARCHAR(255) NOT NULL,
    secret_hash TEXT         NOT NULL CHECK (secret_hash <> ''),
    expires_at  TIMESTAMPTZ  NOT NULL,
    PRIMARY KEY (client_id, secret_hash)
);

-- +goose StatementBegin
CREATE FUNCTION oauth_client_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_touch BEFORE UPDATE ON oauth_client
    FOR EACH ROW EXECUTE FUNCTION oauth_client_touch();

-- The function has the rights of its owner, so a role that may delete clients needs no rights on the secrets.
-- +goose StatementBegin
CREATE FUNCTION oauth_client_forget_secrets() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %I.oauth_client_retired_secret', TG_TABLE_SCHEMA);
    ELSIF TG_OP = 'DELETE' OR NEW.client_id <> OLD.client_id THEN
        EXECUTE format('DELETE FROM %I.oauth_client_retired_secret WHERE client_id = $1', TG_TABLE_SCHEMA)
            USING OLD.client_id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_forget_secrets AFTER DELETE OR UPDATE OF client_id ON oauth_client
    FOR EACH ROW EXECUTE FUNCTION oauth_client_forget_secrets();
CREATE TRIGGER oauth_client_forget_all_secrets AFTER TRUNCATE ON oauth_client
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_forget_secrets();

-- +goose Down
DROP TABLE oauth_client_retired_secret;
DROP TABLE oauth_client;
DROP FUNCTION oauth_client_forget_secrets;
DROP FUNCTION oauth_client_touch;
