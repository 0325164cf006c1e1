package admin

import (
	"context"
	"errors"

	"chit/models"
)

// maxReads is how often LiveTokens reads from Redis, if most tokens are inactive.
const maxReads = 5

// LiveTokens returns a page of the client's tokens that are in force, as tokens.Store.Page does: the last to
// expire first, at most limit, and the cursor next, which is empty after the last page. There may be fewer
// than limit although there is a next page. It returns tokens.ErrCursor for a wrong cursor.
func (a Actions) LiveTokens(ctx context.Context, client *models.Client, after string, limit int) (live []models.AccessToken, next string, err error) {
	next = after
	for range maxReads {
		var found []models.AccessToken
		found, next, err = a.Tokens.Page(ctx, client.ClientID, next, limit-len(live))
		if err != nil {
			return nil, "", err
		}
		for _, token := range found {
			if token.Active(client, a.Tokens.Now()) {
				live = append(live, token)
			}
		}
		if next == "" || len(live) == limit {
			break
		}
	}
	return live, next, nil
}

// CountTokens returns for each client about how many of its tokens are in force, by the indexes in Redis. Tokens
// that have just ended may still count.
func (a Actions) CountTokens(ctx context.Context, clients ...models.Client) (map[string]int64, error) {
	var enabled []string
	for _, client := range clients {
		if !client.Disabled() {
			enabled = append(enabled, client.ClientID)
		}
	}
	return a.Tokens.Count(ctx, enabled...)
}

// Inspect returns the client of a token, which is nil if it does not exist any more, and why the token is inactive,
// which is nil or a models.Inactive.
func (a Actions) Inspect(ctx context.Context, token models.AccessToken) (issuer *models.Client, inactive, err error) {
	issuer, err = a.Clients.Find(ctx, token.ClientID)
	if err != nil && !errors.Is(err, models.ErrClientNotFound) {
		return nil, nil, err
	}
	return issuer, token.Check(issuer, a.Tokens.Now()), nil
}
