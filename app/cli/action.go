package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"chit/admin"
	"chit/audit"
	"chit/repository"
	"chit/tokens"
)

// actionFlags are the flags of a command that changes something.
type actionFlags struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`
}

// withActions calls do with the actions on clients alone. It needs Redis only if events are kept there.
func (f *actionFlags) withActions(c *console, do func(admin.Actions) error) error {
	if f.AuditRedis > 0 {
		return f.withTokenActionsIfAny(c, do)
	}
	return f.withClients(c, func(clients *repository.Clients) error { return do(f.actions(c, clients, nil)) })
}

// withTokenActions calls do with the actions on clients and tokens.
func (f *actionFlags) withTokenActions(c *console, do func(admin.Actions) error) error {
	return f.withTokens(c, func(clients *repository.Clients, store *tokens.Store) error {
		return do(f.actions(c, clients, store))
	})
}

// withTokenActionsIfAny is like withTokenActions. It also works in the embedded mode without a running
// server, where there are no tokens.
func (f *actionFlags) withTokenActionsIfAny(c *console, do func(admin.Actions) error) error {
	return f.withTokensIfAny(c, func(clients *repository.Clients, store *tokens.Store) error {
		return do(f.actions(c, clients, store))
	})
}

func (f *actionFlags) actions(c *console, clients *repository.Clients, store *tokens.Store) admin.Actions {
	actions := admin.Actions{
		Clients:  clients,
		Tokens:   store,
		Settle:   admin.Settled,
		Operator: admin.Operator{Name: admin.CommandLine, Details: []slog.Attr{slog.String("user", systemUser())}},
	}
	var shared *audit.Shared
	if store != nil && f.AuditRedis > 0 {
		shared = audit.NewShared(store.Redis, f.AuditRedis)
	}
	actions.Trail = f.trail(c, shared)
	if f.Embedded() {
		actions.Settle = admin.SettledEmbedded
	}
	return actions
}

// flagOf are the flags for the values that an action checks.
var flagOf = map[string]string{
	"client_id": "<id>", "client_name": "--name", "scope": "--scope", "token_endpoint_auth_method": "--auth-method", "jwks": "--jwks", "jwks_uri": "--jwks-uri",
	"tls_client_auth_subject_dn": "--tls-subject-dn", "tls_client_auth_san_dns": "--tls-san-dns", "tls_client_auth_san_uri": "--tls-san-uri",
	"allowed_resources": "--allowed-resources", "resource": "--resource", "issuer": "--issuer", "subject": "--subject", "audience": "--audience",
}

// flagFaults returns the faults of the values of an action, with the names of the flags.
func flagFaults(err error) error {
	var invalid admin.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	var faults []error
	for _, fault := range invalid {
		faults = append(faults, fmt.Errorf("%s: %s", flagOf[fault.Field], fault.Detail))
	}
	return errors.Join(faults...)
}
