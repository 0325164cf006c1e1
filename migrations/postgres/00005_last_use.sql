-- +goose Up

-- The servers write it, a few times a minute. It is not in oauth_client, so that it notifies nobody.
CREATE TABLE oauth_client_use (
    client_id     VARCHAR(255) PRIMARY KEY,
    last_used_at  TIMESTAMPTZ,
    last_token_at TIMESTAMPTZ
) WITH (fillfactor = 70);

COMMENT ON COLUMN oauth_client_use.last_used_at IS 'when the client last authenticated, to within a minute; null: never';
COMMENT ON COLUMN oauth_client_use.last_token_at IS 'when the client last got a token, to within a minute; null: never';

-- There is no foreign key: see oauth_client_forget_secrets. A new client has not been used, although its id may have been.
-- +goose StatementBegin
CREATE FUNCTION oauth_client_forget_use() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %I.oauth_client_use', TG_TABLE_SCHEMA);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        EXECUTE format('DELETE FROM %I.oauth_client_use WHERE client_id = $1', TG_TABLE_SCHEMA) USING OLD.client_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE format('DELETE FROM %I.oauth_client_use WHERE client_id = $1', TG_TABLE_SCHEMA) USING NEW.client_id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_forget_use AFTER INSERT OR DELETE ON oauth_client
    FOR EACH ROW EXECUTE FUNCTION oauth_client_forget_use();
CREATE TRIGGER oauth_client_forget_use_on_rename AFTER UPDATE OF client_id ON oauth_client
    FOR EACH ROW WHEN (OLD.client_id <> NEW.client_id) EXECUTE FUNCTION oauth_client_forget_use();
CREATE TRIGGER oauth_client_forget_all_use AFTER TRUNCATE ON oauth_client
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_forget_use();

-- +goose Down
DROP TRIGGER oauth_client_forget_all_use ON oauth_client;
DROP TRIGGER oauth_client_forget_use_on_rename ON oauth_client;
DROP TRIGGER oauth_client_forget_use ON oauth_client;
DROP FUNCTION oauth_client_forget_use;
DROP TABLE oauth_client_use;
