package admin

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"chit/keys"
	"chit/models"
)

// The events of the audit trail.
const (
	clientCreated  = "client_created"
	clientUpdated  = "client_updated"
	secretRotated  = "client_secret_rotated"
	clientDisabled = "client_disabled"
	clientEnabled  = "client_enabled"
	clientDeleted  = "client_deleted"
	tokenRevoked   = "token_revoked"
	tokensRevoked  = "tokens_revoked"
)

// Operator is who acts.
type Operator struct {
	Name    string      // the client id of the caller of the admin API, or CommandLine
	Details []slog.Attr // more for the audit trail, such as the system's user
}

// CommandLine is the Name of an operator who uses the command line.
const CommandLine = "cli"

// note writes a line to the audit trail. The attributes must not contain a secret.
func (a Actions) note(ctx context.Context, event string, attributes ...slog.Attr) {
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "operator", 0)
	record.AddAttrs(slog.String("event", event), slog.String("operator", a.Operator.Name))
	record.AddAttrs(a.Operator.Details...)
	record.AddAttrs(attributes...)
	a.Trail(ctx, record)
}

// noteChange writes a line with the fields of a client that have changed. before is the zero Client for a
// new client, and after is nil for a deleted one.
func (a Actions) noteChange(ctx context.Context, event string, before, after *models.Client, more ...slog.Attr) {
	id := before.ClientID
	var old, changed []slog.Attr
	switch {
	case after == nil:
		old = whole(before)
	case id == "":
		id, changed = after.ClientID, whole(after)
	default:
		old, changed = differences(append(describe(before), optionalFields(before)...), append(describe(after), optionalFields(after)...))
	}
	a.note(ctx, event, append([]slog.Attr{
		slog.String("client_id", id),
		{Key: "before", Value: slog.GroupValue(old...)}, // an empty group is left out
		{Key: "after", Value: slog.GroupValue(changed...)},
	}, more...)...)
}

// describe returns the fields of a client for the audit trail, always in the same order.
func describe(client *models.Client) []slog.Attr {
	return []slog.Attr{
		slog.String("client_name", client.ClientName),
		slog.String("scope", client.AllowedScopes),
		slog.String("grant_types", client.GrantTypes),
		slog.Bool("is_public", client.IsPublic),
		slog.Bool("is_resource_server", client.IsResourceServer),
		optional("token_ttl_seconds", client.TokenTTLSeconds, slog.Int64Value),
		optional("disabled_at", client.DisabledAt, instant),
		optional("tokens_revoked_before", client.TokensRevokedBefore, instant),
	}
}

// whole returns all fields of a client. Those that are null for most are left out if they are.
func whole(client *models.Client) []slog.Attr {
	isNull := func(a slog.Attr) bool { return a.Value.Any() == nil }
	return append(describe(client), slices.DeleteFunc(optionalFields(client), isNull)...)
}

// optionalFields returns the fields that are null for most clients, always in the same order: how it authenticates, and
// for whom its tokens are, and from whom.
func optionalFields(client *models.Client) []slog.Attr {
	return []slog.Attr{
		unlessEmpty("token_endpoint_auth_method", client.AuthMethod),
		unlessEmpty("jwks", thumbprints(client.JWKS)),
		unlessEmpty("jwks_uri", client.JWKSURI),
		unlessEmpty("tls_client_auth_subject_dn", client.TLSSubjectDN),
		unlessEmpty("tls_client_auth_san_dns", client.TLSSANDNS),
		unlessEmpty("tls_client_auth_san_uri", client.TLSSANURI),
		ifTrue("tls_client_certificate_bound_access_tokens", client.CertificateBound),
		ifTrue("dpop_bound_access_tokens", client.DPoPBound),
		unlessEmpty("allowed_resources", client.AllowedResources),
		unlessEmpty("resource", client.Resource),
	}
}

// thumbprints returns those of the keys of a document, which are shorter than the document.
func thumbprints(document models.Text) models.Text {
	if document == "" {
		return ""
	}
	set, err := keys.Parse(string(document))
	if err != nil {
		return "malformed"
	}
	if len(set.Keys) == 0 {
		return "no usable key"
	}
	var texts []string
	for _, key := range set.Keys {
		texts = append(texts, key.Thumbprint())
	}
	return models.Text(strings.Join(texts, " "))
}

// unlessEmpty is optional for a column that is null if it is empty.
func unlessEmpty(key string, value models.Text) slog.Attr {
	if value == "" {
		return slog.Any(key, nil)
	}
	return slog.String(key, string(value))
}

// ifTrue is optional for a column that is null if it is false.
func ifTrue(key string, value models.Flag) slog.Attr {
	if !value {
		return slog.Any(key, nil)
	}
	return slog.Bool(key, true)
}

func optional[T any](key string, value *T, convert func(T) slog.Value) slog.Attr {
	if value == nil {
		return slog.Any(key, nil)
	}
	return slog.Attr{Key: key, Value: convert(*value)}
}

// instant is a time as text, because slog cannot write those that SQL calls infinity.
func instant(at time.Time) slog.Value { return slog.StringValue(at.UTC().Format(time.RFC3339Nano)) }

// differences returns the attributes whose values differ.
func differences(before, after []slog.Attr) (old, changed []slog.Attr) {
	for i := range before {
		if !before[i].Value.Equal(after[i].Value) {
			old, changed = append(old, before[i]), append(changed, after[i])
		}
	}
	return old, changed
}
