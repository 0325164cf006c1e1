package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"chit/app"
	"chit/keys"
)

// maxKeyFile is the size of the largest file with a private key, in bytes.
const maxKeyFile = 64 << 10

type clientKeygenCommand struct {
	PrivateKey string `default:"private-key.pem" placeholder:"FILE" help:"New file for the private key, in PEM (PKCS #8). Only its owner can read it (default ${default})."`
	Alg        string `default:"ES256" placeholder:"ALG" help:"ES256, RS256, PS256 or EdDSA (default ${default})."`
	Kid        string `placeholder:"TEXT" help:"Name of the key (default: its SHA-256 thumbprint)."`
}

func (*clientKeygenCommand) Help() string {
	return "The private key stays with the client. The server gets the public key, which is printed. Register it with `chit client create` or `update`, --auth-method private_key_jwt and --jwks.\n\nExample:\n\n  chit client keygen --private-key signing-job.pem >signing-job.jwks.json"
}

// Run writes the private key and prints the public one.
func (cmd *clientKeygenCommand) Run(c *console) error {
	key, err := keys.Generate(keys.Algorithm(cmd.Alg))
	if err != nil {
		return usageError{fmt.Errorf("--alg: %w", err)}
	}
	if err := key.Use(cmd.Kid, ""); err != nil {
		return err
	}
	text, err := key.PEM()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(cmd.PrivateKey, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: choose another file, so that no key is lost", cmd.PrivateKey)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	document, err := key.Document()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.out, string(document)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.err, "chit: the private key is in %s\n", cmd.PrivateKey)
	return err
}

// privateKeyFlags say what is signed with.
type privateKeyFlags struct {
	PrivateKey string `default:"private-key.pem" placeholder:"FILE" help:"File with the private key, in PEM; - reads standard input (default ${default})."`
	Alg        string `placeholder:"ALG" help:"Algorithm (default: ES256, RS256 or EdDSA, by the key)."`
}

// open returns the key with this kid; empty: its thumbprint.
func (f privateKeyFlags) open(c *console, kid string) (*keys.Private, error) {
	content, err := readSmall(c, f.PrivateKey, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--private-key: %w", err)
	}
	key, err := keys.ParsePrivate(content)
	if err != nil {
		return nil, fmt.Errorf("--private-key %w", err)
	}
	if err := key.Use(kid, keys.Algorithm(f.Alg)); err != nil {
		return nil, usageError{fmt.Errorf("--alg: %w", err)}
	}
	return key, nil
}

type assertionCommand struct {
	privateKeyFlags `embed:""`

	ID       string       `arg:"" name:"id" help:"The client_id."`
	Kid      string       `placeholder:"TEXT" help:"Name of the key (default: its SHA-256 thumbprint)."`
	Issuer   string       `env:"CHIT_ISSUER" default:"http://localhost:8080" placeholder:"URL" help:"Issuer URL of the server, for which the assertion is (default ${default})."`
	Lifetime app.Duration `default:"60s" placeholder:"DURATION" help:"How long the assertion can be used, once (default ${default})."`
}

func (*assertionCommand) Help() string {
	return "The assertion is printed. It is used up by one request.\n\nExample:\n\n  chit client assertion signing-job --private-key signing-job.pem"
}

// Run prints the assertion.
func (cmd *assertionCommand) Run(c *console) error {
	if err := cmd.Lifetime.Check("--lifetime", time.Second); err != nil {
		return usageError{err}
	}
	key, err := cmd.open(c, cmd.Kid)
	if err != nil {
		return err
	}
	now := time.Now()
	assertion, err := key.Sign(map[string]any{
		"iss": cmd.ID, "sub": cmd.ID, "aud": cmd.Issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(cmd.Lifetime.Duration).Unix(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, assertion)
	return err
}
