package cli_test

import (
	"testing"

	"chit/app/apptest"
	"chit/app/cli"
)

func TestMain(m *testing.M) { apptest.RunWithChit(m, cli.Main) }

// The demo client of the embedded mode, and its resource server.
const (
	demo, demoSecret     = "my-machine-client", "my-secret"
	server, serverSecret = "my-resource-server", "my-resource-secret"
)

// tokenPlease is the body of the simplest token request.
const tokenPlease = "grant_type=client_credentials"
