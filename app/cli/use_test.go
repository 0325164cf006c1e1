package cli_test

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// What a server has seen is in the lists, at the latest when the server has stopped.
func TestLastUse(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		began := time.Now().Unix()
		clients := map[string]string{}
		for _, id := range []string{"gets-a-token", "only-asks", "wrong-secret", "idle"} {
			clients[id] = apptest.Create(t, env, id).ClientSecret
		}
		p.Token("gets-a-token", clients["gets-a-token"])
		p.Post("/introspect", "only-asks", clients["only-asks"], "token=x")
		p.Post("/token", "wrong-secret", "wrong", tokenPlease)
		p.Signal(syscall.SIGINT)
		p.Ended(10 * time.Second)
		var listed []struct {
			ClientID    string `json:"client_id"`
			LastUsedAt  int64  `json:"last_used_at"`
			LastTokenAt int64  `json:"last_token_at"`
		}
		if err := json.Unmarshal([]byte(apptest.Chit(t, env, "client", "list", "-o", "json").Stdout), &listed); err != nil {
			t.Fatal(err)
		}
		for _, client := range listed {
			used, issued := client.LastUsedAt >= began, client.LastTokenAt >= began
			if used != (client.ClientID == "gets-a-token" || client.ClientID == "only-asks") || issued != (client.ClientID == "gets-a-token") {
				t.Errorf("%+v", client)
			}
		}
		apptest.Chit(t, env, "client", "show", "only-asks").Says(t, "LAST TOKEN (UTC)  never")
		apptest.Chit(t, env, "client", "show", "gets-a-token").Says(t, "LAST USED (UTC)   20")
	})
}
