package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"chit/admin"
	"chit/models"
)

// changeable are the members of a client that an operator can set.
var changeable = []string{"client_name", "scope", "grant_types", "is_resource_server", "is_public", "token_ttl_seconds"}

// register is POST /admin/clients, with the names of RFC 7591 §2.
func (x *call) register() error {
	body, err := x.readObject(slices.Concat([]string{"client_id"}, changeable, authenticationMembers, restrictionMembers)...)
	if err != nil {
		return err
	}
	changes := changesIn(body)
	registration := admin.Registration{
		ClientID:        member[string](body, "client_id", "a text"),
		ClientName:      valueOf(changes.ClientName),
		Scope:           valueOf(changes.Scope),
		GrantTypes:      valueOf(changes.GrantTypes),
		ResourceServer:  valueOf(changes.ResourceServer),
		TokenTTLSeconds: changes.TokenTTLSeconds,
		Authentication:  changes.Authentication,
		Restrictions:    changes.Restrictions,
	}
	if body.isNull("token_ttl_seconds") {
		registration.TokenTTLSeconds = nil
	}
	if err := body.err(registration.Check()); err != nil {
		return err
	}
	client, secret, err := x.actions().Register(x.context(), registration)
	if err != nil {
		return err
	}
	x.Response().Header().Set("Location", "/admin/clients/"+url.PathEscape(client.ClientID))
	client.Use = &models.Use{}
	view := viewOf(client)
	if secret != "" {
		view = view.withSecret(secret)
	}
	return x.answerClient(http.StatusCreated, client, view)
}

// change is PATCH /admin/clients/{client_id}: a JSON merge patch (RFC 7396).
func (x *call) change() error {
	body, err := x.readObject(slices.Concat(changeable, authenticationMembers, restrictionMembers)...)
	if err != nil {
		return err
	}
	changes := changesIn(body)
	if err := body.err(changes.Check()); err != nil {
		return err
	}
	client, err := x.actions().Update(x.context(), x.clientID(), changes)
	if err != nil {
		return err
	}
	return x.answerClient(http.StatusOK, client, x.viewAfter(client))
}

// changesIn returns the changes that an object describes.
func changesIn(body *object) admin.Changes {
	changes := admin.Changes{
		ClientName:     member[string](body, "client_name", "a text"),
		Scope:          member[string](body, "scope", "a text"),
		GrantTypes:     member[[]string](body, "grant_types", "a list of texts"),
		ResourceServer: member[bool](body, "is_resource_server", "true or false"),
		Authentication: authenticationIn(body),
		Restrictions:   restrictionsIn(body),
	}
	if body.isNull("token_ttl_seconds") {
		changes.TokenTTLSeconds = new(int64)
	} else if seconds := member[int64](body, "token_ttl_seconds", "a whole number of seconds"); seconds != nil {
		changes.TokenTTLSeconds = seconds
		if *seconds == 0 {
			body.wrong("token_ttl_seconds", "is 0: write null for the server's lifetime")
		}
	}
	if public := member[bool](body, "is_public", "true or false"); public != nil && *public {
		body.wrong("is_public", "can only be false: this server is for clients that can keep a secret")
	}
	return changes
}

func valueOf[T any](value *T) (v T) {
	if value != nil {
		v = *value
	}
	return v
}

// rotate is POST /admin/clients/{client_id}/secret.
func (x *call) rotate() error {
	body, err := x.readObject("overlap_seconds", "revoke_tokens")
	if err != nil {
		return err
	}
	rotation := admin.Rotation{Overlap: admin.DefaultOverlap, RevokeTokens: valueOf(member[bool](body, "revoke_tokens", "true or false"))}
	if rotation.RevokeTokens {
		rotation.Overlap = 0 // the old secret is not trusted
	}
	if overlap := member[int64](body, "overlap_seconds", "a whole number of seconds"); overlap != nil {
		rotation.Overlap = time.Duration(*overlap) * time.Second
		if *overlap < 0 || *overlap > int64(admin.MaxOverlap/time.Second) {
			body.wrong("overlap_seconds", "is not a number of seconds from 0 to 31622400")
		}
	}
	if err := body.err(nil); err != nil {
		return err
	}
	rotated, err := x.actions().Rotate(x.context(), x.clientID(), rotation)
	if err != nil {
		return err
	}
	view := x.viewAfter(rotated.Client).withSecret(rotated.Secret)
	status := http.StatusOK
	if rotated.Revocation != nil {
		status, view.Revocation = x.finish(rotated.Revocation)
	}
	return x.answerClient(status, rotated.Client, view)
}

// disable is POST /admin/clients/{client_id}/disable.
func (x *call) disable() error {
	ended, err := x.actions().Disable(x.context(), x.clientID())
	if err != nil {
		return err
	}
	client := ended.Client
	view := x.viewAfter(client)
	var status int
	status, view.Revocation = x.finish(ended)
	return x.answerClient(status, client, view)
}

// enable is POST /admin/clients/{client_id}/enable.
func (x *call) enable() error {
	client, err := x.actions().Enable(x.context(), x.clientID())
	if err != nil {
		return err
	}
	return x.answerClient(http.StatusOK, client, x.viewAfter(client))
}

// deleteClient is DELETE /admin/clients/{client_id}. It ends the client's tokens.
func (x *call) deleteClient() error {
	ended, err := x.actions().Delete(x.context(), x.clientID())
	if err != nil {
		return err
	}
	status, view := x.finish(ended)
	return x.JSON(status, view)
}
