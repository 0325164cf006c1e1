package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/keys"
	"chit/models"
)

// authenticationFlags say how a client authenticates.
type authenticationFlags struct {
	AuthMethod   *string `placeholder:"METHOD" help:"How the client authenticates: secret, client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth. secret is one by HTTP Basic or in the body."`
	JWKS         *string `name:"jwks" placeholder:"FILE" help:"File with the public keys of the client, as a JSON Web Key Set; - reads standard input."`
	JWKSURI      *string `name:"jwks-uri" placeholder:"URL" help:"URL of that document, if the client publishes it."`
	TLSSubjectDN *string `name:"tls-subject-dn" placeholder:"NAME" help:"For tls_client_auth: the subject of its certificate, such as CN=billing,O=Acme."`
	TLSSANDNS    *string `name:"tls-san-dns" placeholder:"NAME" help:"For tls_client_auth: a DNS name in its certificate."`
	TLSSANURI    *string `name:"tls-san-uri" placeholder:"URI" help:"For tls_client_auth: a URI in its certificate, such as a SPIFFE id."`
}

// authentication returns what the flags say. It reads the file with the keys.
func (f authenticationFlags) authentication(c *console) (admin.Authentication, error) {
	a := admin.Authentication{JWKSURI: f.JWKSURI, TLSSubjectDN: f.TLSSubjectDN, TLSSANDNS: f.TLSSANDNS, TLSSANURI: f.TLSSANURI}
	if f.AuthMethod != nil {
		method := models.AuthMethod(*f.AuthMethod)
		if method == "secret" {
			method = models.AnySecret
		} else if method == models.AnySecret {
			method = "none"
		}
		a.Method = &method
	}
	if f.JWKS == nil {
		return a, nil
	}
	document := ""
	if *f.JWKS != "" {
		content, err := readSmall(c, *f.JWKS, keys.MaxDocument)
		if err != nil {
			return a, fmt.Errorf("--jwks: %w", err)
		}
		document = string(content)
	}
	a.JWKS = &document
	return a, nil
}

// readSmall reads a file, or standard input for -, of at most a number of bytes.
func readSmall(c *console, path string, most int64) ([]byte, error) {
	in := c.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("the file is larger than %d bytes", most)
	}
	if err == nil && len(content) == 0 {
		err = errors.New("the file is empty")
	}
	return content, err
}

// keyView is a registered key in JSON.
type keyView struct {
	ID         string           `json:"kid"`
	Algorithms []keys.Algorithm `json:"algs"` // of assertions; empty: it is for certificates only
	Thumbprint string           `json:"jkt"`  // SHA-256, in base64url (RFC 7638)
}

// keysOf returns the keys in the row of a client that can be used.
func keysOf(client *models.Client) (views []keyView) {
	set, _ := keys.Parse(string(client.JWKS)) // an operator may have written anything by SQL
	for _, key := range set.Keys {
		views = append(views, keyView{key.ID, key.Algorithms(), key.Thumbprint()})
	}
	return views
}

// authenticationRows returns rows of a table that say how a client authenticates, unless it is a secret alone.
func authenticationRows(client *models.Client) (rows []table.Row) {
	for _, column := range []struct {
		name  string
		value models.Text
	}{
		{"AUTHENTICATES BY", client.AuthMethod}, {"KEYS AT", client.JWKSURI}, {"CERTIFICATE SUBJECT", client.TLSSubjectDN},
		{"CERTIFICATE DNS NAME", client.TLSSANDNS}, {"CERTIFICATE URI", client.TLSSANURI},
	} {
		if column.value != "" {
			rows = append(rows, table.Row{column.name, string(column.value)})
		}
	}
	for _, key := range keysOf(client) {
		use := "certificates"
		if len(key.Algorithms) > 0 {
			use = strings.ReplaceAll(strings.Trim(fmt.Sprint(key.Algorithms), "[]"), " ", ", ")
		}
		rows = append(rows, table.Row{"KEY", fmt.Sprintf("kid %q, %s, thumbprint %s", key.ID, use, key.Thumbprint)})
	}
	if client.JWKS != "" && len(keysOf(client)) == 0 {
		rows = append(rows, table.Row{"KEY", "none that can be used: the column jwks is wrong"})
	}
	for _, f := range client.Federations {
		rows = append(rows, table.Row{"FEDERATION", fmt.Sprintf("iss %s, sub %s, aud %s", f.Issuer, f.Subject, f.Audience)})
	}
	return rows
}
