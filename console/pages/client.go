package pages

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"chit/admin"
	"chit/keys"
	"chit/models"
)

// clientPage is a client with what belongs to it.
type clientPage struct {
	*models.Client
	Tokens  int64
	Counted bool               // the number of tokens is known
	Retired []retired          // secrets that work until they expire
	Running []admin.Progressed // revocations of its tokens in the background
	Done    string             // what was just done
	Own     bool               // it is the client of the operator
}

// Keys returns the keys in the row of the client that can be used.
func (p clientPage) Keys() []keys.Key {
	set, _ := keys.Parse(string(p.JWKS)) // SQL may have written anything
	return set.Keys
}

type retired struct {
	models.RetiredSecret
	InUse bool // it was used within the last hour
}

// client is GET /client.
func (v *visit) client() error {
	client, err := v.Actions.Clients.Describe(v.context(), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	page := clientPage{Client: client, Done: v.r.URL.Query().Get("done"), Own: client.ClientID == v.operator.ClientID}
	for _, task := range v.Work.Tasks() {
		if task.ClientID == client.ClientID && task.EndedAt.IsZero() {
			page.Running = append(page.Running, task)
		}
	}
	counts, err := v.Actions.CountTokens(v.context(), *client)
	page.Tokens, page.Counted = counts[client.ClientID], err == nil
	for _, secret := range client.RetiredSecrets {
		if v.Now().Before(secret.ExpiresAt) {
			inUse := secret.LastUsedAt != nil && v.Now().Sub(*secret.LastUsedAt) < time.Hour
			page.Retired = append(page.Retired, retired{secret, inUse})
		}
	}
	slices.SortFunc(page.Retired, func(a, b retired) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.SecretHash, b.SecretHash))
	})
	return v.show(http.StatusOK, "client", cmp.Or(client.ClientName, client.ClientID), page)
}
