package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"
)

type proofCommand struct {
	privateKeyFlags `embed:""`

	URL    string `arg:"" name:"url" help:"URL of the request that the proof is for. Its query does not count."`
	Method string `default:"POST" placeholder:"METHOD" help:"Method of the request (default ${default})."`
	Nonce  string `placeholder:"TEXT" help:"What the server has sent in DPoP-Nonce."`
	Token  string `placeholder:"-" help:"- reads the token of the request from standard input. A request for a token has none."`
}

func (*proofCommand) Help() string {
	return "The proof is printed. It is used up by one request, within a minute. Any key will do: a token is bound to the one that signs the proof of its request. `chit client keygen` makes one.\n\nExample:\n\n  chit client proof https://auth.example.com/token --private-key signing-job.pem\n\n  printf %s \"$TOKEN\" | chit client proof https://invoices.example.com/v1 --method GET --token - --private-key signing-job.pem"
}

// Run prints the proof.
func (cmd *proofCommand) Run(c *console) error {
	if err := cmd.check(); err != nil {
		return usageError{err}
	}
	key, err := cmd.open(c, "")
	if err != nil {
		return err
	}
	claims := map[string]any{"jti": rand.Text(), "htm": cmd.Method, "htu": cmd.URL, "iat": time.Now().Unix()}
	if cmd.Nonce != "" {
		claims["nonce"] = cmd.Nonce
	}
	if cmd.Token != "" {
		token, err := readHidden(c, "token")
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	proof, err := key.SignProof(claims)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, proof)
	return err
}

// check returns every fault. It never repeats a text that may be a token.
func (cmd *proofCommand) check() error {
	faults := []error{onlyPiped(cmd.Token, "chit client proof …")}
	if parsed, err := url.Parse(cmd.URL); err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		faults = append(faults, errors.New("<url>: is not an http(s) URL: write https://auth.example.com/token"))
	}
	if cmd.Token != "" && cmd.PrivateKey == "-" {
		faults = append(faults, errors.New("--token and --private-key cannot both read standard input"))
	}
	return errors.Join(faults...)
}
