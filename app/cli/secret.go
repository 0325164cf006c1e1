package cli

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
	return "The secret is read from standard input, or from a prompt that does not show it. One line break at the end is ignored.\n\nExample:\n\n  printf %s \"$SECRET\" | chit hash-secret"
}

// Run prints the client_secret_hash of the secret, and nothing else.
func (*hashSecretCommand) Run(c *console) error {
	secret, err := readHidden(c, "secret")
	if err != nil {
		return err
	}
	if secret == "" {
		return usageError{errors.New("the secret is empty, and an empty secret cannot authenticate")}
	}
	_, err = fmt.Fprintln(c.out, models.HashSecret(secret))
	return err
}

// maxSecret is the maximum length of a secret or token in bytes. A longer input is probably the wrong file.
const maxSecret = 64 << 10

// readHidden reads a "secret" or a "token" from standard input, or from a prompt that does not show the
// input.
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
