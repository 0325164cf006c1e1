package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Version identifies the state of the client's row. It changes with every change of the row; retired
// secrets, federations and the times of last use are not part of it. It is a digest, so it reveals no hash of
// a secret.
func (c *Client) Version() string {
	digest := sha256.New()
	for _, value := range []any{
		c.ClientID, c.ClientSecretHash, c.ClientName, c.RedirectURIs, c.AllowedScopes, c.GrantTypes,
		c.IsPublic, c.IsResourceServer, text(c.TokenTTLSeconds),
		instant(c.DisabledAt), instant(c.TokensRevokedBefore), instant(&c.CreatedAt), instant(&c.UpdatedAt),
		c.AuthMethod, c.JWKS, c.JWKSURI, c.TLSSubjectDN, c.TLSSANDNS, c.TLSSANURI,
		c.CertificateBound, c.DPoPBound, c.AllowedResources, c.Resource,
	} {
		fmt.Fprintf(digest, "%q ", fmt.Sprint(value))
	}
	return hex.EncodeToString(digest.Sum(nil)[:16])
}

// instant returns a time in microseconds, the precision of the database, or an empty text.
func instant(at *time.Time) string {
	if at == nil {
		return ""
	}
	micro := at.UnixMicro()
	return text(&micro)
}

func text(number *int64) string {
	if number == nil {
		return ""
	}
	return fmt.Sprint(*number)
}
