package cli

import "chit/app"

type guardCommand struct {
	app.GuardConfig `embed:""`
}

func (*guardCommand) Help() string {
	return "For services in any language: run it beside the service. /verify answers for the forward authentication of a proxy, such as auth_request of nginx. With --upstream it is a proxy itself. The service gets the headers X-Chit-Client-Id, X-Chit-Scope and X-Chit-Jti.\n\nExample:\n\n  CHIT_GUARD_CLIENT_SECRET_FILE=/run/secrets/client-secret chit guard --issuer https://auth.example.com --client-id invoices-api --upstream http://127.0.0.1:3000"
}

// Run checks tokens until a signal arrives.
func (cmd *guardCommand) Run(c *console) error {
	guard, err := app.NewGuard(cmd.GuardConfig, c.err)
	if err != nil {
		return usageError{err}
	}
	return guard.Serve(c)
}
