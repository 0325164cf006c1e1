package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"chit/admin"
	"chit/models"
)

// confirmPage asks before something is done that cannot be undone.
type confirmPage struct {
	Question string
	Effects  []string // what will happen
	Action   string   // path of the form
	Button   string
	Fields   map[string]string // hidden
	Word     string            // that must be typed; empty: none
	Fault    string
	Back     string // URL for those who do not want it
}

// ask shows the question about a client. effects returns what will happen, given how many tokens end.
func (v *visit) ask(action, button string, effects func(tokens string) []string) error {
	client, err := v.Actions.Clients.Find(v.context(), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	page := confirmPage{
		Question: fmt.Sprintf("%s %s?", button, client.ClientID), Action: action, Button: button,
		Fields: map[string]string{"id": client.ClientID, "version": client.Version()}, Back: clientURL(client.ClientID),
	}
	page.Effects = effects(v.tokensOf(*client))
	if client.ClientID == v.operator.ClientID {
		page.Effects = append(page.Effects, "This is your own client: your session ends, too.")
	}
	return v.show(http.StatusOK, "confirm", page.Question, page)
}

// tokensOf returns for people how many tokens of these clients are in force.
func (v *visit) tokensOf(clients ...models.Client) string {
	counts, err := v.Actions.CountTokens(v.context(), clients...)
	total := int64(0)
	for _, count := range counts {
		total += count
	}
	switch {
	case err != nil:
		return "its tokens (Redis does not answer, so their number is not known)"
	case total == 0:
		return "no tokens: none are in force"
	case total == 1:
		return "1 token"
	}
	return number(total) + " tokens"
}

// askDisable is GET /client/disable.
func (v *visit) askDisable() error {
	return v.ask("/client/disable", "Disable", func(tokens string) []string {
		return []string{"It cannot get tokens any more, until you enable it.", "This ends " + tokens + ", at once and on every node. Enabling the client does not bring them back."}
	})
}

// disable is POST /client/disable.
func (v *visit) disable() error {
	ended, err := v.actions("").Disable(v.context(), v.r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	v.Work.Start(ended).Wait(admin.Promptly)
	return v.redirect(clientURL(v.r.PostForm.Get("id")) + "&done=disabled")
}

// enable is POST /client/enable.
func (v *visit) enable() error {
	client, err := v.actions("").Enable(v.context(), v.r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	return v.redirect(clientURL(client.ClientID) + "&done=enabled")
}

// askDelete is GET /client/delete.
func (v *visit) askDelete() error {
	return v.ask("/client/delete", "Delete", func(tokens string) []string {
		return []string{"The client and its secrets are removed for good.", "This ends " + tokens + ", at once and on every node.", "To stop it only for a while, disable it instead."}
	})
}

// deleteClient is POST /client/delete.
func (v *visit) deleteClient() error {
	id := v.r.PostForm.Get("id")
	ended, err := v.actions(v.r.PostForm.Get("version")).Delete(v.context(), id)
	if err != nil {
		return err
	}
	v.Work.Start(ended).Wait(admin.Promptly)
	return v.redirect("/clients?deleted=" + url.QueryEscape(id))
}

// askRevokeTokens is GET /client/revoke.
func (v *visit) askRevokeTokens() error {
	return v.ask("/client/revoke", "End all tokens of", func(tokens string) []string {
		return []string{"This ends " + tokens + ", at once and on every node.", "The client can get new ones with its secret. If the secret has leaked, rotate it."}
	})
}

// revokeTokens is POST /client/revoke.
func (v *visit) revokeTokens() error {
	ended, err := v.actions("").RevokeTokens(v.context(), v.r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	v.Work.Start(ended).Wait(admin.Promptly)
	return v.redirect(clientURL(ended.ClientID) + "&done=revoked")
}

// rotatePage asks how to rotate a secret.
type rotatePage struct {
	*models.Client
	Version  string
	Tokens   string
	Overlaps []overlap
}

type overlap struct {
	Seconds int64
	Name    string
}

// overlaps are the choices for how long the old secret works. The first one is chosen unless the operator says otherwise.
var overlaps = []overlap{
	{int64(admin.DefaultOverlap / time.Second), "24 hours"}, {3600, "1 hour"}, {7 * 86400, "7 days"}, {30 * 86400, "30 days"}, {0, "not at all: it ends now"},
}

// askRotate is GET /client/rotate.
func (v *visit) askRotate() error {
	client, err := v.Actions.Clients.Find(v.context(), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "rotate", "Rotate the secret of "+client.ClientID, rotatePage{
		Client: client, Version: client.Version(), Tokens: v.tokensOf(*client), Overlaps: overlaps,
	})
}

// rotate is POST /client/rotate. The answer has the new secret, this once.
func (v *visit) rotate() error {
	form := v.r.PostForm
	seconds, err := strconv.ParseInt(form.Get("overlap"), 10, 32)
	if err != nil || seconds < 0 || seconds > int64(admin.MaxOverlap/time.Second) {
		return errMalformed
	}
	rotated, err := v.actions(form.Get("version")).Rotate(v.context(), form.Get("id"), admin.Rotation{
		Overlap: time.Duration(seconds) * time.Second, RevokeTokens: form.Get("revoke_tokens") != "",
	})
	if err != nil {
		return err
	}
	if rotated.Revocation != nil {
		v.Work.Start(rotated.Revocation)
	}
	return v.showSecret("New secret", secretPage{Client: rotated.Client, Secret: rotated.Secret, OldExpires: rotated.OldExpires, Rotated: true})
}
