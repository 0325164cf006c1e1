// Package transfer reads clients from files of other servers, and writes and reads those of this one. It decides
// what becomes of each client, and does not touch the database.
package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chit/models"
)

// Entry is a client of a file.
type Entry struct {
	Client models.Client // with its retired secrets
	Secret Secret
	Skip   string   // why the client is left out; empty: it is not
	Notes  []string // what is different from the file
}

// Secret is what becomes of a client's secret.
type Secret string

// What can become of a secret.
const (
	Kept   Secret = "kept"       // the old secret works
	Needed Secret = "new needed" // the file has no secret or hash that this server can use
	// Without is for a client that authenticates without a secret.
	Without Secret = "not needed"
)

// Format is a kind of file.
type Format string

// The formats. Auto finds out by the content.
const (
	Auto     Format = "auto"
	Chit     Format = "chit"     // chit client export
	Hydra    Format = "hydra"    // GET /admin/clients of Ory Hydra: a list, or one client
	Keycloak Format = "keycloak" // the export of a realm
	CSV      Format = "csv"      // with a line of names
)

// Read returns the clients of a file, in its order, and the format. The error says where the file is wrong. Wrong
// values of clients are not checked here, except those that cannot be read at all.
func Read(content []byte, format Format) ([]Entry, Format, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if format == Auto {
		format = detect(content)
	}
	read := map[Format]func([]byte) ([]Entry, error){Chit: readChit, Hydra: readHydra, Keycloak: readKeycloak, CSV: readCSV}[format]
	entries, err := read(content)
	if err != nil {
		return nil, format, fmt.Errorf("the file is not of the format %s: %w", format, err)
	}
	return entries, format, nil
}

// detect returns the format that the content looks like.
func detect(content []byte) Format {
	text := bytes.TrimSpace(content)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return CSV
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return Hydra
	}
	switch {
	case members["chit_clients"] != nil:
		return Chit
	case members["realm"] != nil, members["clients"] != nil:
		return Keycloak
	}
	return Hydra
}

// decode decodes JSON. The error has the line.
func decode(content []byte, into any) error {
	err := json.Unmarshal(content, into)
	offset := int64(0)
	if syntax, is := errors.AsType[*json.SyntaxError](err); is {
		offset = syntax.Offset
	} else if mismatch, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		offset = mismatch.Offset
	}
	if err != nil && offset > 0 {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(content[:min(int(offset), len(content))], []byte("\n")), err)
	}
	return err
}

// keep sets the secret of an entry from a plain secret.
func (e *Entry) keep(secret string) {
	e.Client.ClientSecretHash, e.Secret = models.HashSecret(secret), Kept
}

func (e *Entry) note(format string, args ...any) {
	e.Notes = append(e.Notes, fmt.Sprintf(format, args...))
}

// needsClientCredentials leaves a client out that has no use for this server.
func (e *Entry) needsClientCredentials(grantTypes []string) {
	if !slices.Contains(grantTypes, models.ClientCredentials) {
		e.Skip = "it does not use client_credentials, the only grant of this server"
		return
	}
	if others := slices.DeleteFunc(slices.Clone(grantTypes), func(g string) bool { return g == models.ClientCredentials }); len(others) > 0 {
		e.note("its other grants are left out: %s", strings.Join(others, " "))
	}
	e.Client.GrantTypes = models.ClientCredentials
}
