package pages

import (
	"net/http"
	"time"

	"chit/audit"
)

// eventsPerPage is the number of events in the page.
const eventsPerPage = 200

// auditPage are the latest events of the audit trail.
type auditPage struct {
	Filter audit.Filter
	Names  []string // of all events
	Events []audit.Event
	Shared bool // they are those of all nodes
	Since  time.Time
	Full   bool   // there may be more
	Fault  string // why there are only those of this node
}

// audit is GET /audit.
func (v *visit) audit() error {
	query := v.r.URL.Query()
	page := auditPage{Filter: audit.Filter{Name: query.Get("event"), ClientID: query.Get("client")}, Names: audit.Names, Since: v.Audit.Since()}
	if v.Shared != nil && query.Get("of") != "node" {
		events, err := v.Shared.Latest(v.context(), page.Filter, eventsPerPage)
		page.Events, page.Shared = events, err == nil
		if err != nil {
			page.Fault = "Redis does not answer, so these are the events of this node alone."
		}
	}
	if !page.Shared {
		page.Events = v.Audit.Latest(page.Filter, eventsPerPage)
	}
	page.Full = len(page.Events) == eventsPerPage
	return v.show(http.StatusOK, "audit", "Audit", page)
}
