-- +goose Up

-- The triggers also run if session_replication_role is replica, as for changes by logical replication.
ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_update;
ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_delete;
ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_truncate;
ALTER TABLE oauth_client_retired_secret ENABLE ALWAYS TRIGGER oauth_client_retired_secret_notify;
ALTER TABLE oauth_client_retired_secret ENABLE ALWAYS TRIGGER oauth_client_retired_secret_notify_truncate;

-- +goose Down
ALTER TABLE oauth_client_retired_secret ENABLE TRIGGER oauth_client_retired_secret_notify_truncate;
ALTER TABLE oauth_client_retired_secret ENABLE TRIGGER oauth_client_retired_secret_notify;
ALTER TABLE oauth_client ENABLE TRIGGER oauth_client_notify_truncate;
ALTER TABLE oauth_client ENABLE TRIGGER oauth_client_notify_delete;
ALTER TABLE oauth_client ENABLE TRIGGER oauth_client_notify_update;
