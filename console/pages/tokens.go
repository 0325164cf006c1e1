package pages

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"chit/admin"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// tokensPerPage is the number of tokens in a page of the list.
const tokensPerPage = 50

// tokensPage is a page of the tokens of a client.
type tokensPage struct {
	*models.Client
	Tokens  []models.AccessToken // the newest first
	Total   int64
	Counted bool // Total is known
	Done    string
	Pager   pager
}

// tokensOfClient is GET /client/tokens.
func (v *visit) tokensOfClient() error {
	query := v.r.URL.Query()
	client, err := v.Actions.Clients.Find(v.context(), query.Get("id"))
	if err != nil {
		return err
	}
	live, next, err := v.Actions.LiveTokens(v.context(), client, query.Get("after"), tokensPerPage)
	if errors.Is(err, tokens.ErrCursor) {
		return errNoPage
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(live, func(a, b models.AccessToken) int {
		return cmp.Or(b.ExpiresAt.Compare(a.ExpiresAt), b.IssuedAt.Compare(a.IssuedAt))
	})
	page := tokensPage{Client: client, Tokens: live, Done: query.Get("done")}
	counts, err := v.Actions.CountTokens(v.context(), *client)
	page.Total, page.Counted = counts[client.ClientID], err == nil
	at := "/client/tokens?id=" + url.QueryEscape(client.ClientID)
	if query.Get("after") != "" {
		page.Pager.First = at
	}
	if next != "" {
		page.Pager.Next = at + "&after=" + url.QueryEscape(next)
	}
	return v.show(http.StatusOK, "tokens_of_client", "Tokens of "+client.ClientID, page)
}

type lookUpPage struct{ Fault, Done string }

// tokens is GET /tokens.
func (v *visit) tokens() error {
	return v.show(http.StatusOK, "tokens", "Tokens", lookUpPage{Done: v.r.URL.Query().Get("done")})
}

// lookUp is POST /tokens. The URL of the token's page has the jti, which opens nothing.
func (v *visit) lookUp() error {
	text := strings.TrimSpace(v.r.PostForm.Get("token"))
	switch {
	case tokens.IsID(text):
		return v.redirect(tokenURL(text))
	case tokens.Recognise(text):
		return v.redirect(tokenURL(tokens.ID(text)))
	}
	return v.show(http.StatusBadRequest, "tokens", "Tokens", lookUpPage{Fault: "This is neither a token of this server nor a jti, which has 64 hexadecimal digits. Look whether it was copied whole."})
}

// tokenPage is a token with its state.
type tokenPage struct {
	models.AccessToken
	Client *models.Client // nil: it does not exist any more
	Active bool
	Reason string // why it is inactive
	Own    bool   // it is that of the session
}

// find returns the token of the request and the page for it.
func (v *visit) find(jti string) (page tokenPage, err error) {
	if !tokens.IsID(jti) {
		return page, models.ErrTokenNotFound
	}
	if page.AccessToken, err = v.Actions.Tokens.FindByID(v.context(), jti); err != nil {
		return page, err
	}
	var inactive error
	if page.Client, inactive, err = v.Actions.Inspect(v.context(), page.AccessToken); err != nil {
		return page, err
	}
	page.Active, page.Own = inactive == nil, page.ID == v.operator.ID
	if reason, is := errors.AsType[models.Inactive](inactive); is {
		page.Reason = strings.ReplaceAll(string(reason), "_", " ")
	}
	return page, nil
}

// token is GET /tokens/one.
func (v *visit) token() error {
	page, err := v.find(v.r.URL.Query().Get("jti"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "token", "Token "+short(page.ID), page)
}

// askRevokeToken is GET /tokens/one/revoke.
func (v *visit) askRevokeToken() error {
	page, err := v.find(v.r.URL.Query().Get("jti"))
	if err != nil {
		return err
	}
	question := confirmPage{
		Question: "End this token of " + page.ClientID + "?", Action: "/tokens/one/revoke", Button: "End the token",
		Fields: map[string]string{"jti": page.ID}, Back: tokenURL(page.ID),
		Effects: []string{"This ends 1 token, at once and on every node. The client can get a new one with its secret."},
	}
	if page.Own {
		question.Effects = append(question.Effects, "It is the token of your session: you are logged out.")
	}
	return v.show(http.StatusOK, "confirm", question.Question, question)
}

// revokeToken is POST /tokens/one/revoke.
func (v *visit) revokeToken() error {
	page, err := v.find(v.r.PostForm.Get("jti"))
	if err != nil {
		return err
	}
	if err := v.actions("").RevokeToken(v.context(), page.AccessToken); err != nil {
		return err
	}
	if page.Client == nil {
		return v.redirect("/tokens?done=revoked")
	}
	return v.redirect("/client/tokens?id=" + url.QueryEscape(page.ClientID) + "&done=revoked")
}

// askRevokeAll is GET /tokens/revoke.
func (v *visit) askRevokeAll() error { return v.showRevokeAll(http.StatusOK, "") }

const (
	theWord     = "all"  // must be typed to end all tokens
	mostCounted = 20_000 // clients whose tokens are counted first
)

func (v *visit) showRevokeAll(status int, fault string) error {
	clients, err := v.Actions.Clients.List(v.context(), repository.Page{Limit: mostCounted + 1})
	if err != nil {
		return err
	}
	ends := v.tokensOf(clients...)
	if len(clients) > mostCounted {
		ends = "the tokens of more than " + number(int64(mostCounted)) + " clients"
	}
	return v.show(status, "confirm", "End every token of every client?", confirmPage{
		Question: "End every token of every client?", Action: "/tokens/revoke", Button: "End all tokens", Back: "/tokens", Word: theWord, Fault: fault,
		Effects: []string{
			"This ends " + ends + ", at once and on every node.",
			"Every client must ask for a new token, all at the same time.",
			"Your session ends, too.",
		},
	})
}

// revokeAll is POST /tokens/revoke.
func (v *visit) revokeAll() error {
	if strings.TrimSpace(v.r.PostForm.Get("word")) != theWord {
		return v.showRevokeAll(http.StatusBadRequest, "Nothing was ended: type the word "+theWord+".")
	}
	ended, err := v.actions("").RevokeAllTokens(v.context())
	if err != nil {
		return err
	}
	v.Work.Start(ended).Wait(admin.Promptly)
	v.setCookie(sessionCookie, "", -time.Second) // this node may not know yet that the session has ended
	return v.redirect("/login?done=all")
}
