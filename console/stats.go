package console

import (
	_ "embed"
	"errors"
	"net/http"

	"chit/admin"
	"chit/models"
	"chit/repository"
)

// topClients is the number of clients in the statistics.
const topClients = 20

// statsView are the statistics. The requests are those to this node.
type statsView struct {
	Since       int64                 `json:"since"` // when the node began to count, in seconds
	Minutes     []minuteView          `json:"minutes"`
	TopClients  []topView             `json:"top_clients"`
	LastUse     repository.UseSummary `json:"last_use"`
	Revocations []progressView        `json:"revocations"`
}

// minuteView is a minute of the last hour, oldest first. The last one is not over.
type minuteView struct {
	Start        int64 `json:"start"` // seconds
	Issued       int64 `json:"issued"`
	Introspected int64 `json:"introspected"`
	Refused      int64 `json:"refused"`
}

// topView is a client with its requests within the last hour, the busiest first.
type topView struct {
	ClientID     string `json:"client_id"`
	Issued       int64  `json:"issued"`
	Introspected int64  `json:"introspected"`
	LastUsedAt   int64  `json:"last_used_at"`
	LastTokenAt  *int64 `json:"last_token_at"`
}

// progressView is a revocation in the background, the latest first.
type progressView struct {
	ClientID    string `json:"client_id,omitempty"` // absent: of all clients
	StartedAt   int64  `json:"started_at"`
	EndedAt     *int64 `json:"ended_at"` // null: it goes on
	KeysRemoved int    `json:"keys_removed"`
	Cause       string `json:"cause,omitempty"` // why it does not go on, or has ended early
}

// stats is GET /admin/stats.
func (x *call) stats() error {
	lastUse, err := x.api.Actions.Clients.SummarizeUse(x.context(), x.api.Now())
	if err != nil {
		return err
	}
	view := statsView{Since: x.api.Usage.Since().Unix(), LastUse: lastUse, Minutes: []minuteView{}, TopClients: []topView{}, Revocations: []progressView{}}
	for _, minute := range x.api.Usage.Minutes() {
		view.Minutes = append(view.Minutes, minuteView{minute.Start.Unix(), minute.Issued, minute.Introspected, minute.Refused})
	}
	for _, top := range x.api.Usage.Top(topClients) {
		view.TopClients = append(view.TopClients, topView{top.ClientID, top.Issued, top.Introspected, top.LastUsed.Unix(), seconds(top.LastToken)})
	}
	for _, task := range x.api.Work.Tasks() {
		view.Revocations = append(view.Revocations, progressOf(task))
	}
	return x.JSON(http.StatusOK, view)
}

func progressOf(task admin.Progressed) progressView {
	view := progressView{ClientID: task.ClientID, StartedAt: task.StartedAt.Unix(), KeysRemoved: task.KeysRemoved}
	if !task.EndedAt.IsZero() {
		view.EndedAt = seconds(&task.EndedAt)
	}
	if task.Cause != nil {
		view.Cause = "Redis or the database does not answer: see the log"
		if !errors.Is(task.Cause, models.ErrUnavailable) {
			view.Cause = "stopped"
		}
	}
	return view
}

//go:embed openapi.json
var document []byte

// describe is GET /admin/openapi.json.
func (x *call) describe() error { return x.JSONBlob(http.StatusOK, document) }
