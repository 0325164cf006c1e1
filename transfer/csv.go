package transfer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"chit/models"
)

// columns are the columns that a file can have, in any order. Only client_id is needed.
var columns = []string{"client_id", "client_name", "scope", "client_secret", "client_secret_hash", "is_resource_server", "token_ttl_seconds", "disabled"}

func readCSV(content []byte) (entries []Entry, err error) {
	reader := csv.NewReader(bytes.NewReader(content))
	reader.TrimLeadingSpace = true
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("it is empty: the first line has the names of the columns, such as client_id,client_name,scope")
	}
	for i, name := range rows[0] {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("line 1: the column %q is not known: the columns are %s", name, strings.Join(columns, ", "))
		}
		if slices.Index(rows[0], name) != i {
			return nil, fmt.Errorf("line 1: the column %s is there twice", name)
		}
	}
	if !slices.Contains(rows[0], "client_id") {
		return nil, errors.New("line 1: there is no column client_id")
	}
	for i, row := range rows[1:] {
		values := map[string]string{}
		for column, value := range row {
			values[rows[0][column]] = strings.TrimSpace(value)
		}
		entry, err := entryOf(values)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+2, err)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// entryOf returns the client of a row, by the names of the columns.
func entryOf(values map[string]string) (e Entry, err error) {
	e.Secret = Needed
	e.Client = models.Client{
		ClientID: values["client_id"], ClientName: values["client_name"], AllowedScopes: values["scope"], GrantTypes: models.ClientCredentials,
		ClientSecretHash: values["client_secret_hash"],
	}
	if e.Client.ClientSecretHash != "" {
		e.Secret = Kept
	}
	if secret := values["client_secret"]; secret != "" {
		if e.Secret == Kept {
			return e, errors.New("client_secret and client_secret_hash are both there: keep one")
		}
		e.keep(secret)
	}
	if e.Client.IsResourceServer, err = yes(values, "is_resource_server"); err != nil {
		return e, err
	}
	disabled, err := yes(values, "disabled")
	if disabled {
		now := time.Now().UTC()
		e.Client.DisabledAt = &now
	}
	if text := values["token_ttl_seconds"]; text != "" && err == nil {
		seconds, failure := strconv.ParseInt(text, 10, 64)
		if failure != nil {
			return e, fmt.Errorf("token_ttl_seconds: %q is not a number of seconds", text)
		}
		e.Client.TokenTTLSeconds = &seconds
	}
	return e, err
}

// yes returns a value that is true or false; empty: false.
func yes(values map[string]string, column string) (bool, error) {
	if values[column] == "" {
		return false, nil
	}
	is, err := strconv.ParseBool(values[column])
	if err != nil {
		return false, fmt.Errorf("%s: %q is not true or false", column, values[column])
	}
	return is, nil
}
