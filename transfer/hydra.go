package transfer

import (
	"bytes"
	"time"
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
	switch h.AuthMethod {
	case "", "client_secret_basic", "client_secret_post":
	case "none":
		e.Skip = "it is public: this server is for clients that can keep a secret"
	default:
		e.note("it authenticates by %s at Hydra, and gets a secret here", h.AuthMethod)
	}
	if h.ClientSecret != "" {
		e.keep(h.ClientSecret)
	} else {
		e.note("the hash of its secret stays in Hydra, which does not export it")
	}
	if len(h.Audience) > 0 {
		e.note("its audience is left out")
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
