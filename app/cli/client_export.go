package cli

import (
	"chit/repository"
	"chit/transfer"
)

type clientExportCommand struct {
	stores `embed:""`
}

func (*clientExportCommand) Help() string {
	return "Prints all clients as JSON, with the hashes of their secrets and without any secret. `chit client import` reads it. Tokens are not part of it. Keep the file to yourself: secrets that people have chosen can be guessed from their hashes.\n\nExample:\n\n  chit client export > clients.json"
}

// Run prints all clients.
func (cmd *clientExportCommand) Run(c *console) error {
	if err := cmd.Resolve(); err != nil {
		return usageError{err}
	}
	return cmd.withClients(c, func(clients *repository.Clients) error {
		all, err := clients.All(c)
		if err != nil {
			return err
		}
		return transfer.Write(c.out, all)
	})
}
