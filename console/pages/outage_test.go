package pages_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// While Redis is away nobody can be recognised, and the pages say so. The session goes on afterwards.
func TestPagesWithoutRedis(t *testing.T) {
	t.Parallel()
	s := apptest.Real(t)
	v := operator(t, s, "alice", "chit:admin")
	v.get(200, "/client/disable?id=alice")
	_, form := v.form("/client/disable")
	s.Redis.Stop()
	for _, page := range everyPage {
		v.get(503, page.path)
		v.sees("The server cannot reach its storage", "Request <code>")
		if v.page.Header.Get("Retry-After") == "" {
			t.Errorf("%s: there is no Retry-After", page.path)
		}
	}
	v.post("/client/disable", form)
	v.is(503)
	v.get(200, "/login")
	v.send("", "client_id", "alice", "client_secret", secret)
	v.is(503)
	v.sees("The server cannot check the secret at the moment")
	s.Redis.Start()
	apptest.Eventually(t, 10*time.Second, "Redis answers", func() bool {
		v.open("/client?id=alice")
		return v.page.Status == 200 || strings.HasPrefix(v.path, "/login")
	})
}

// While the database is away, the overview says so and the other pages fail in order.
func TestPagesWithoutDatabase(t *testing.T) {
	t.Parallel()
	database := apptest.StartPostgreSQL(t)
	s := apptest.On(t, database.URL, apptest.StartRedis(t))
	v := operator(t, s, "alice", "chit:admin")
	database.Stop()
	apptest.Eventually(t, 10*time.Second, "the overview tells", func() bool {
		v.get(200, "/")
		return strings.Contains(v.page.Body, `<span class="badge failed">Failed</span> <strong>Database</strong> <span>does not answer`)
	})
	v.sees("The database does not answer, so the clients cannot be counted", `<span class="badge good">OK</span> <strong>Redis</strong>`)
	v.get(503, "/clients")
	v.sees("The server cannot reach its storage")
	v.get(200, "/audit")
	v.get(200, "/tokens")
}

// Live figures come as events, until the session ends.
func TestLive(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	token := v.cookie("chit_session")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, "GET", s.OpsURL+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := v.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, kind)
	}
	seen := map[string]int{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, is := strings.CutPrefix(lines.Text(), "event: ")
		if !is {
			continue
		}
		seen[name]++
		if name == "figures" && seen[name] == 2 {
			s.Post("/revoke", "alice", secret, "token="+token)
		}
	}
	if lines.Err() != nil || seen["figures"] < 2 || seen["ended"] != 1 {
		t.Errorf("%v, %v", seen, lines.Err())
	}
	stranger := visit(t, s)
	stranger.get(401, "/live")
}

// A stream of live figures does not delay the end of the server, which must end without error.
func TestLiveAtTheEnd(t *testing.T) {
	t.Parallel()
	var open *http.Response
	t.Cleanup(func() { open.Body.Close() }) // after the end of the server
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	var err error
	if open, err = v.http.Get(s.OpsURL + "/live"); err != nil {
		t.Fatal(err)
	}
}

// Assets may be kept, because a new version has another path. What is not there has a page.
func TestAssets(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := visit(t, s)
	v.get(200, "/login")
	for name, kind := range map[string]string{"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		v.get(200, "/login")
		_, path, _ := strings.Cut(v.page.Body, `="/assets/`)
		version, _, _ := strings.Cut(path, "/")
		v.get(200, "/assets/"+version+"/"+name)
		if got := v.page.Header.Get("Content-Type"); got != kind || !strings.Contains(v.page.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, %s", name, got, v.page.Header.Get("Cache-Control"))
		}
		v.get(404, "/assets/0/"+name)
		v.get(404, "/assets/"+version+"/..%2Fpages.go")
	}
	v.get(404, "/nowhere")
	v.sees("There is no such page")
	v.get(404, "/clients/")
}
