package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"chit/admin"
)

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 500
)

// query has the parameters of a query string.
type query struct {
	values map[string]string
	faults admin.Invalid
}

// readQuery reads the query string of a request. Unknown parameters and those that are there twice are
// faults.
func readQuery(r *http.Request, names []string) (*query, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault(http.StatusBadRequest, "the query string is malformed")
	}
	q := &query{values: map[string]string{}}
	for name, values := range given {
		switch {
		case !slices.Contains(names, name):
			q.wrong(shortened(name), "is not known here")
		case len(values) > 1:
			q.wrong(name, "is there twice")
		default:
			q.values[name] = values[0]
		}
	}
	return q, q.err()
}

func (q *query) wrong(field, detail string) {
	q.faults = append(q.faults, admin.Fault{Field: field, Detail: detail})
}

func (q *query) err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return q.faults
}

// limit returns the parameter limit, the size of a page.
func (q *query) limit() (int, error) {
	text, found := q.values["limit"]
	if !found {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		q.wrong("limit", fmt.Sprintf("is not a number from 1 to %d", maxLimit))
	}
	return limit, q.err()
}
