package console

import (
	"errors"
	"net/http"

	"chit/admin"
	"chit/models"
	"chit/tokens"
)

// tokenView is a token in JSON, with the names of RFC 7662 §2.2.
type tokenView struct {
	Active    bool            `json:"active"`
	ID        string          `json:"jti"`
	ClientID  string          `json:"client_id"`
	Scope     string          `json:"scope"`
	Audience  models.Audience `json:"aud,omitempty"`
	Binding   models.Binding  `json:"cnf,omitzero"`
	IssuedAt  int64           `json:"iat"`              // seconds
	ExpiresAt int64           `json:"exp"`              // seconds
	Reason    string          `json:"reason,omitempty"` // why the token is inactive, as in the log
}

// tokenViewOf describes a token that was found with why it is inactive, or nil.
func tokenViewOf(token models.AccessToken, why error) tokenView {
	view := tokenView{
		Active: why == nil, ID: token.ID, ClientID: token.ClientID, Scope: token.Scope,
		Audience: token.Audience, Binding: token.Binding,
		IssuedAt: token.IssuedAt.Unix(), ExpiresAt: token.ExpiresAt.Unix(),
	}
	if reason, is := errors.AsType[models.Inactive](why); is {
		view.Reason = string(reason)
	}
	return view
}

// revocationView is a revocation of many tokens. They are inactive, whether or not it is finished.
type revocationView struct {
	ClientID    string `json:"client_id,omitempty"` // absent: of all clients
	Before      int64  `json:"tokens_revoked_before"`
	KeysRemoved int    `json:"keys_removed"` // so far
	Finished    bool   `json:"finished"`     // false: keys are deleted in the background
}

// finish finishes a revocation in the background. It returns 202 if that takes long.
func (x *call) finish(r *admin.Revocation) (status int, view *revocationView) {
	view = &revocationView{ClientID: r.ClientID, Before: r.Before.Unix()}
	state := x.api.Work.Start(r).Wait(admin.Promptly)
	view.KeysRemoved, view.Finished = state.KeysRemoved, !state.EndedAt.IsZero()
	if !view.Finished {
		return http.StatusAccepted, view
	}
	return http.StatusOK, view
}

// listTokens is GET /admin/clients/{client_id}/tokens. It leaves out tokens that are inactive.
func (x *call) listTokens() error {
	limit, err := x.query.limit()
	if err != nil {
		return err
	}
	client, err := x.api.Actions.Clients.Find(x.context(), x.clientID())
	if err != nil {
		return err
	}
	var answer struct {
		Tokens []tokenView `json:"tokens"`
		Next   *string     `json:"next"` // null: this is the last page
	}
	answer.Tokens = []tokenView{}
	live, next, err := x.api.Actions.LiveTokens(x.context(), client, x.query.values["after"], limit)
	if errors.Is(err, tokens.ErrCursor) {
		return admin.Invalid{{Field: "after", Detail: "is not the next of a page"}}
	}
	if err != nil {
		return err
	}
	for _, token := range live {
		answer.Tokens = append(answer.Tokens, tokenViewOf(token, nil))
	}
	if next != "" {
		answer.Next = &next
	}
	return x.JSON(http.StatusOK, answer)
}

// revokeTokensOfClient is DELETE /admin/clients/{client_id}/tokens.
func (x *call) revokeTokensOfClient() error {
	ended, err := x.actions().RevokeTokens(x.context(), x.clientID())
	if err != nil {
		return err
	}
	if ended.Client == nil {
		return models.ErrClientNotFound
	}
	client := ended.Client
	status, view := x.finish(ended)
	x.Response().Header().Set("ETag", `"`+client.Version()+`"`)
	return x.JSON(status, view)
}

// revokeAllTokens is DELETE /admin/tokens?confirm=all.
func (x *call) revokeAllTokens() error {
	if x.query.values["confirm"] != "all" {
		return admin.Invalid{{Field: "confirm", Detail: "must be all: this ends every token of every client"}}
	}
	ended, err := x.actions().RevokeAllTokens(x.context())
	if err != nil {
		return err
	}
	status, view := x.finish(ended)
	return x.JSON(status, view)
}

// showToken is GET /admin/tokens/{jti}.
func (x *call) showToken() error {
	token, err := x.tokenInPath()
	if err != nil {
		return err
	}
	return x.answerToken(token)
}

// revokeToken is DELETE /admin/tokens/{jti}.
func (x *call) revokeToken() error {
	token, err := x.tokenInPath()
	if err != nil {
		return err
	}
	return x.end(token)
}

// inspect is POST /admin/tokens/inspect.
func (x *call) inspect() error {
	token, err := x.tokenInBody()
	if err != nil {
		return err
	}
	return x.answerToken(token)
}

// revoke is POST /admin/tokens/revoke.
func (x *call) revoke() error {
	token, err := x.tokenInBody()
	if err != nil {
		return err
	}
	return x.end(token)
}

func (x *call) tokenInPath() (models.AccessToken, error) {
	id := x.Param("jti")
	if !tokens.IsID(id) {
		return models.AccessToken{}, fault(http.StatusNotFound, "this is no jti: a jti has 64 lower-case hexadecimal digits; for a token itself use POST /admin/tokens/inspect or /admin/tokens/revoke")
	}
	return x.api.Actions.Tokens.FindByID(x.context(), id)
}

func (x *call) tokenInBody() (models.AccessToken, error) {
	body, err := x.readObject("token")
	if err != nil {
		return models.AccessToken{}, err
	}
	text := valueOf(member[string](body, "token", "a text"))
	if text == "" && len(body.faults) == 0 {
		body.wrong("token", "is missing")
	}
	if err := body.err(nil); err != nil {
		return models.AccessToken{}, err
	}
	return x.api.Actions.Tokens.Find(x.context(), text)
}

// answerToken answers with a token and its state.
func (x *call) answerToken(token models.AccessToken) error {
	_, inactive, err := x.api.Actions.Inspect(x.context(), token)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, tokenViewOf(token, inactive))
}

// end revokes a token and answers with it.
func (x *call) end(token models.AccessToken) error {
	if err := x.actions().RevokeToken(x.context(), token); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, tokenViewOf(token, models.TokenUnknown))
}
