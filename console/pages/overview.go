package pages

import (
	"context"
	"net/http"
	"time"

	"chit/admin"
	"chit/repository"
	"chit/usage"
)

// most is the number of clients in each list of the overview.
const most = 10

// overviewPage is what happens on this node.
type overviewPage struct {
	figures
	Charts   []chart
	Since    time.Time // when the node began to count
	Busiest  []usage.Top
	Refused  []usage.Top
	LastUse  *repository.UseSummary // nil: the database does not answer
	Work     []admin.Progressed
	MoreWork int
}

// figures are what changes all the time.
type figures struct {
	Now    usage.Rates
	States []State
}

func (p *Pages) figures(ctx context.Context) figures {
	return figures{p.Usage.Now(), p.states(ctx)}
}

// overview is GET /.
func (v *visit) overview() error {
	page := overviewPage{
		figures: v.figures(v.context()), Charts: charts(v.Usage.Minutes(), v.Now()), Since: v.Usage.Since(),
		Busiest: v.Usage.Top(most), Refused: v.Usage.Refusals(most),
	}
	ctx, cancel := context.WithTimeout(v.context(), checkTimeout)
	defer cancel()
	if summary, err := v.Actions.Clients.SummarizeUse(ctx, v.Now()); err == nil {
		page.LastUse = &summary
	}
	page.Work = v.Work.Tasks()
	if len(page.Work) > most {
		page.Work, page.MoreWork = page.Work[:most], len(page.Work)-most
	}
	return v.show(http.StatusOK, "overview", "Overview", page)
}

// Clients returns the number of all clients.
func (o overviewPage) Clients() int64 {
	u := o.LastUse
	return u.Never + u.LastHour + u.LastDay + u.Last30Days + u.Earlier
}
