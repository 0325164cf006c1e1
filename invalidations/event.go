package invalidations

import (
	"encoding/json"
	"fmt"
	"time"
)

// The kinds of events that a node hears. They are the names of the events on the stream.
const (
	kindToken  = "token"  // a token has ended
	kindClient = "client" // all tokens of a client may have ended, or be in force again
	kindAll    = "all"    // any token may have ended
	// kindHeartbeat says that every change so far has been an event.
	kindHeartbeat = "heartbeat"
)

// readyText is the first event of every stream.
const readyText = "event: ready\ndata: {}\n\n"

// entry is an event in the log of a Hub.
type entry struct {
	kind string
	id   string // the jti or the client_id; empty for the other kinds
	at   time.Time
	text string // as the stream carries it
	// replayed reports whether new receivers get the event too, if it is less than a second old.
	replayed bool
}

// newEntry returns an event. The text has the format of server-sent events.
func newEntry(kind, id string, at time.Time) entry {
	data := "{}"
	switch kind {
	case kindToken:
		data = `{"jti":` + quoted(id) + `}`
	case kindClient:
		data = `{"client_id":` + quoted(id) + `}`
	}
	return entry{kind: kind, id: id, at: at, text: "event: " + kind + "\ndata: " + data + "\n\n"}
}

// newHeartbeat returns a heartbeat. Its id is the age of the hub in milliseconds. A receiver can tell by it
// that heartbeats arrive late.
func newHeartbeat(at time.Time, age time.Duration) entry {
	text := fmt.Sprintf("event: %s\ndata: {}\nid: %d\n\n", kindHeartbeat, age.Milliseconds())
	return entry{kind: kindHeartbeat, at: at, text: text}
}

// quoted returns text as a JSON string, which has no line breaks.
func quoted(text string) string {
	quoted, _ := json.Marshal(text) // a string can always be marshalled
	return string(quoted)
}
