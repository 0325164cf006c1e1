package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"chit/models"
	"chit/repository"
)

// clientsPerPage is the number of clients in a page of the list.
const clientsPerPage = 50

// clientsPage is a page of the list of clients.
type clientsPage struct {
	Query   string
	Sort    repository.Column
	Down    bool
	Rows    []clientRow
	Total   int64
	From    int64 // number of the first one in the page
	To      int64
	Pager   pager
	Counts  bool   // the numbers of tokens are known
	Deleted string // id of a client that was just deleted
}

type clientRow struct {
	models.Client
	Tokens int64 // that are in force
}

// pager are the links to other pages; empty: there is none.
type pager struct{ First, Previous, Next string }

// columns are what the list can be sorted by, with whether the highest comes first unless it is asked otherwise.
var columns = map[repository.Column]bool{repository.ByID: false, repository.ByName: false, repository.ByCreated: true, repository.ByLastUse: true}

// clients is GET /clients.
func (v *visit) clients() error {
	query := v.r.URL.Query()
	page := clientsPage{Query: query.Get("query"), Sort: repository.Column(query.Get("sort")), Deleted: query.Get("deleted")}
	down, known := columns[page.Sort]
	if !known {
		page.Sort = repository.ByID
	}
	page.Down = down
	if order := query.Get("order"); order != "" {
		page.Down = order == "down"
	}
	offset, _ := strconv.Atoi(query.Get("offset")) // 0 if it is malformed
	offset = min(max(0, offset), 1<<30)
	found, total, err := v.Actions.Clients.Sorted(v.context(), repository.Sheet{
		Query: page.Query, Sort: page.Sort, Descending: page.Down, Offset: offset, Limit: clientsPerPage,
	})
	if err != nil {
		return err
	}
	counts, err := v.Actions.CountTokens(v.context(), found...)
	page.Counts = err == nil // without Redis the list is still useful
	for _, client := range found {
		page.Rows = append(page.Rows, clientRow{client, counts[client.ClientID]})
	}
	page.Total, page.From, page.To = total, int64(offset)+1, int64(offset+len(found))
	if offset > 0 {
		page.Pager.First, page.Pager.Previous = page.at(0), page.at(max(0, offset-clientsPerPage))
	}
	if page.To < total {
		page.Pager.Next = page.at(offset + clientsPerPage)
	}
	return v.show(http.StatusOK, "clients", "Clients", page)
}

// at returns the URL of the same list from another client on.
func (c clientsPage) at(offset int) string {
	return c.url(c.Sort, c.Down, offset)
}

func (c clientsPage) url(sort repository.Column, down bool, offset int) string {
	values := url.Values{"sort": {string(sort)}, "order": {map[bool]string{true: "down", false: "up"}[down]}}
	if c.Query != "" {
		values.Set("query", c.Query)
	}
	if offset > 0 {
		values.Set("offset", strconv.Itoa(offset))
	}
	return "/clients?" + values.Encode()
}

// header is the head of a column by which the list can be sorted.
type header struct {
	Name, URL string
	Order     string // aria-sort
	Wide      bool   // the column is left out on a narrow screen
}

// Header returns the head of a column. A second click turns the order round.
func (c clientsPage) Header(name, column string, wide bool) header {
	by := repository.Column(column)
	if by != c.Sort {
		return header{name, c.url(by, columns[by], 0), "none", wide}
	}
	return header{name, c.url(by, !c.Down, 0), map[bool]string{true: "descending", false: "ascending"}[c.Down], wide}
}
