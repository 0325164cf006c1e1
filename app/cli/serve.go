package cli

import "chit/app"

type serveCommand struct {
	app.Config `embed:""`
}

func (s *serveCommand) Help() string {
	return "Example:\n\n  CHIT_DATABASE_URL=postgres://chit:…@db:5432/chit CHIT_REDIS_URL=redis://default:…@redis:6379 chit serve\n\nIf neither URL is set, the database and Redis are embedded, and you need not install anything."
}

// Run serves until a signal arrives or a listener fails.
func (s *serveCommand) Run(c *console) error {
	if err := s.Complete(); err != nil {
		return usageError{err}
	}
	return app.Serve(c, s.Config, c.out, c.err)
}
