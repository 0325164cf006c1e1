package app

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"chit/models"
)

type hashSecretCommand struct{}

func (*hashSecretCommand) Help() string {
	return "The secret is read from standard input, or from a prompt that does not show it; one line break at its end is left out.\n\nExample:\n\n  printf %s \"$SECRET\" | chit hash-secret"
}

// Run prints what the column client_secret_hash holds for the secret, and nothing else.
func (*hashSecretCommand) Run(c *console) error {
	secret, err := readHidden(c, "secret")
	if err != nil {
		return err
	}
	if secret == "" {
		return usageError{errors.New("the secret is empty: nobody could authenticate with it")}
	}
	_, err = fmt.Fprintln(c.out, models.HashSecret(secret))
	return err
}

// maxSecret is the longest secret or token that is read, in bytes: longer is somebody's wrong file.
const maxSecret = 64 << 10

// readHidden reads what nobody may see, a "secret" or a "token", from standard input or from a
// prompt that does not show it.
func readHidden(c *console, what string) (string, error) {
	if terminal := int(c.in.Fd()); term.IsTerminal(terminal) {
		fmt.Fprint(c.err, strings.ToUpper(what[:1])+what[1:]+": ")
		text, err := term.ReadPassword(terminal)
		fmt.Fprintln(c.err)
		return string(text), err
	}
	text, err := io.ReadAll(io.LimitReader(c.in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read the %s from standard input: %w", what, err)
	}
	if len(text) > maxSecret {
		return "", usageError{fmt.Errorf("the %s on standard input is longer than 64 KiB", what)}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
