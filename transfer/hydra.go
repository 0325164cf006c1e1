package transfer

import (
	"bytes"
	"encoding/json"
	"time"

	"chit/keys"
	"chit/models"
)

// hydraClient is a client as GET /admin/clients of Ory Hydra has it. The hash of the secret is never in there.
type hydraClient struct {
	ClientID   string   `json:"client_id"`
	ClientName string   `json:"client_name"`
	Scope      string   `json:"scope"`
	GrantTypes []string `json:"grant_types"`
	AuthMethod string   `json:"token_endpoint_auth_method"`
	Audience   []string `json:"audience"`
	Lifespan   *string  `json:"client_credentials_grant_access_token_lifespan"`
	// ClientSecret is there only if somebody has added it to the file.
	ClientSecret string `json:"client_secret"`

	JWKS    json.RawMessage `json:"jwks"`
	JWKSURI string          `json:"jwks_uri"`
}

func readHydra(content []byte) (entries []Entry, err error) {
	var clients []hydraClient
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		var one hydraClient
		err = decode(content, &one)
		clients = []hydraClient{one}
	} else {
		err = decode(content, &clients)
	}
	for _, client := range clients {
		entries = append(entries, client.entry())
	}
	return entries, err
}

func (h hydraClient) entry() Entry {
	e := Entry{Secret: Needed}
	e.Client.ClientID, e.Client.ClientName, e.Client.AllowedScopes = h.ClientID, h.ClientName, h.Scope
	e.needsClientCredentials(h.GrantTypes)
	switch {
	case h.AuthMethod == "", h.AuthMethod == "client_secret_basic", h.AuthMethod == "client_secret_post":
	case h.AuthMethod == "none":
		e.Skip = "it is public: this server is for clients that can keep a secret"
	case h.AuthMethod == string(models.PrivateKeyJWT) && h.keepKeys(&e):
	default:
		e.note("it authenticates by %s at Hydra, and gets a secret here", h.AuthMethod)
	}
	switch {
	case e.Secret == Without:
	case h.ClientSecret != "":
		e.keep(h.ClientSecret)
	default:
		e.note("the hash of its secret stays in Hydra, which does not export it")
	}
	if len(h.Audience) > 0 {
		e.note("its audience is left out: set allowed_resources if its tokens are for certain resource servers")
	}
	if h.Lifespan != nil {
		lifetime, err := time.ParseDuration(*h.Lifespan)
		if seconds := int64(lifetime / time.Second); err == nil && seconds > 0 {
			e.Client.TokenTTLSeconds = &seconds
		} else {
			e.note("its lifetime %q is left out", *h.Lifespan)
		}
	}
	return e
}

// keepKeys lets a client authenticate by its keys, as at Hydra. It returns false if the file has no keys.
func (h hydraClient) keepKeys(e *Entry) bool {
	set, err := keys.Parse(string(h.JWKS)) // Hydra writes {} if there are none
	switch {
	case h.JWKSURI != "":
		e.Client.JWKSURI = models.Text(h.JWKSURI)
	case err == nil && len(set.Keys) > 0:
		e.Client.JWKS = models.Text(h.JWKS)
	default:
		return false
	}
	e.Client.AuthMethod, e.Secret = models.PrivateKeyJWT, Without
	e.note("its assertions must have the issuer URL of this server as aud, or one of CHIT_ASSERTION_AUDIENCES")
	return true
}
