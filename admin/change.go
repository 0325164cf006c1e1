package admin

import (
	"context"
	"strings"

	"chit/models"
	"chit/repository"
)

// Changes are changes to a client. A nil field stays as it is.
type Changes struct {
	ClientName      *string
	Scope           *string // separated by spaces; issued tokens keep their scopes
	GrantTypes      *[]string
	ResourceServer  *bool
	TokenTTLSeconds *int64 // 0: the server's
	Authentication
	Restrictions
}

// apply changes the columns that a change of them can make unfit for each other.
func (c Changes) apply(client *models.Client) {
	c.Authentication.apply(client)
	c.Restrictions.apply(client)
	if c.ResourceServer != nil {
		client.IsResourceServer = *c.ResourceServer
	}
}

// Check returns an Invalid if a value is wrong.
func (c Changes) Check() error {
	var faults Invalid
	if c.ClientName != nil {
		faults.checkName(*c.ClientName)
	}
	if c.Scope != nil {
		faults.checkScope(*c.Scope)
	}
	if c.GrantTypes != nil {
		faults.checkGrantTypes(*c.GrantTypes)
	}
	if c.TokenTTLSeconds != nil && *c.TokenTTLSeconds != 0 {
		faults.checkTTL(*c.TokenTTLSeconds)
	}
	faults.checkValues(c.Authentication)
	faults.checkResources(c.Restrictions)
	return faults.orNil()
}

// Update makes the changes to a client and returns the client after them. It returns an Invalid for a wrong
// value.
func (a Actions) Update(ctx context.Context, id string, changes Changes) (*models.Client, error) {
	if err := changes.Check(); err != nil {
		return nil, err
	}
	written := repository.Changes{Name: changes.ClientName, ResourceServer: changes.ResourceServer, TokenTTLSeconds: changes.TokenTTLSeconds}
	if changes.Scope != nil {
		scope := models.ParseScopes(*changes.Scope).String()
		written.Scope = &scope
	}
	if changes.GrantTypes != nil {
		types := strings.Join(*changes.GrantTypes, " ")
		written.GrantTypes = &types
	}
	var before models.Client
	condition := a.condition(&before)
	if changes.Authentication != (Authentication{}) || changes.Restrictions != (Restrictions{}) {
		written.More = changes.apply
		condition = a.fitting(&before, changes)
	}
	client, err := a.Clients.Update(ctx, id, written, condition)
	if err != nil {
		return nil, err
	}
	a.noteChange(ctx, clientUpdated, &before, client)
	return client, nil
}

// fitting is condition for a change after which the columns of the client must fit together.
func (a Actions) fitting(before *models.Client, changes Changes) repository.Condition {
	return func(client *models.Client) error {
		if err := a.condition(before)(client); err != nil {
			return err
		}
		after := *client
		changes.apply(&after)
		var faults Invalid
		if changes.Authentication != (Authentication{}) {
			faults.checkAuthentication(&after)
		}
		if given(changes.Resource) {
			faults.checkRole(&after)
		}
		return faults.orNil()
	}
}

// Enable enables a disabled client and returns the client after the change. Tokens that Disable has revoked
// stay revoked. If the client was disabled by SQL alone, its tokens are active again.
func (a Actions) Enable(ctx context.Context, id string) (*models.Client, error) {
	var before models.Client
	client, err := a.Clients.Enable(ctx, id, a.condition(&before))
	if err != nil {
		return nil, err
	}
	a.noteChange(ctx, clientEnabled, &before, client)
	return client, nil
}
