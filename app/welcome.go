package app

import (
	"fmt"
	"io"
	"strings"
	"text/template"
)

var welcomeText = template.Must(template.New("welcome").Parse(`
Chit is running at {{.URL}}, with everything embedded: clients are kept in {{.Database}},
tokens in this process. The console for operators is at {{.OpsURL}}/, metrics are at
{{.OpsURL}}/metrics. Ctrl-C stops it.

Get a token:

  ANSWER=$({{.Curl}} -u {{.Client}}:{{.ClientSecret}} -d grant_type=client_credentials {{.URL}}/token) || echo "$ANSWER"
  TOKEN=$(printf %s "$ANSWER" | grep -o '{{.Prefix}}_[A-Z2-7]*') && echo "$TOKEN"

Ask about it, as a resource server does:

  {{.Curl}} -u {{.Server}}:{{.ServerSecret}} -d "token=$TOKEN" {{.URL}}/introspect

Revoke it, as the client that owns it:

  {{.Curl}} -u {{.Client}}:{{.ClientSecret}} -d "token=$TOKEN" {{.URL}}/revoke

or as an operator, in Redis:

  redis-cli -p {{.RedisPort}} DEL "oauth:token:$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)"

`))

// welcome prints commands for a new user to paste.
func welcome(out io.Writer, server *Server, database string) error {
	client, resourceServer := demoClients[0], demoClients[1]
	curl := "curl -sS --fail-with-body"
	if strings.HasPrefix(server.URL, "https:") {
		curl = "curl -sSk --fail-with-body" // the certificate is seldom for 127.0.0.1, and these secrets are public
	}
	err := welcomeText.Execute(out, map[string]string{
		"Curl":         curl,
		"URL":          server.URL,
		"OpsURL":       server.OpsURL,
		"RedisPort":    server.RedisPort,
		"Database":     database,
		"Prefix":       server.config.TokenPrefix,
		"Client":       client.client.ClientID,
		"ClientSecret": client.secret,
		"Server":       resourceServer.client.ClientID,
		"ServerSecret": resourceServer.secret,
	})
	if err != nil {
		return fmt.Errorf("print the welcome: %w", err)
	}
	return nil
}
