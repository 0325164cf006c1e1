-- +goose Up

-- Servers keep clients in memory and listen on the channel chit_client. The payload is = and the id of a changed client,
-- or * for all clients. An INSERT needs no notification, because servers do not store that a client does not exist.
-- +goose StatementBegin
CREATE FUNCTION oauth_client_notify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    ids text[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('chit_client', '*');
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        ids := ARRAY(SELECT client_id FROM old_rows LIMIT 101);
    ELSE
        ids := ARRAY(SELECT client_id FROM old_rows UNION SELECT client_id FROM new_rows LIMIT 101);
    END IF;
    IF cardinality(ids) > 100 THEN
        PERFORM pg_notify('chit_client', '*');
    ELSE
        PERFORM pg_notify('chit_client', '=' || id) FROM unnest(ids) AS id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_notify_update AFTER UPDATE ON oauth_client
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_notify();
CREATE TRIGGER oauth_client_notify_delete AFTER DELETE ON oauth_client
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_notify();
CREATE TRIGGER oauth_client_notify_truncate AFTER TRUNCATE ON oauth_client
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_notify();

-- For each row, because only then the trigger can ignore last_used_at, which the servers write.
-- +goose StatementBegin
CREATE FUNCTION oauth_client_retired_secret_notify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('chit_client', '*');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('chit_client', '=' || OLD.client_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('chit_client', '=' || NEW.client_id);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER oauth_client_retired_secret_notify
    AFTER INSERT OR DELETE OR UPDATE OF client_id, secret_hash, expires_at ON oauth_client_retired_secret
    FOR EACH ROW EXECUTE FUNCTION oauth_client_retired_secret_notify();
CREATE TRIGGER oauth_client_retired_secret_notify_truncate AFTER TRUNCATE ON oauth_client_retired_secret
    FOR EACH STATEMENT EXECUTE FUNCTION oauth_client_retired_secret_notify();

-- +goose Down
DROP TRIGGER oauth_client_retired_secret_notify_truncate ON oauth_client_retired_secret;
DROP TRIGGER oauth_client_retired_secret_notify ON oauth_client_retired_secret;
DROP FUNCTION oauth_client_retired_secret_notify;
DROP TRIGGER oauth_client_notify_truncate ON oauth_client;
DROP TRIGGER oauth_client_notify_delete ON oauth_client;
DROP TRIGGER oauth_client_notify_update ON oauth_client;
DROP FUNCTION oauth_client_notify;
