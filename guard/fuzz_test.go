package guard

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzStream reads any bytes as a stream. It must end, and must not trust a stream that was not ready.
func FuzzStream(f *testing.F) {
	f.Add("event: ready\ndata: {}\n\nevent: heartbeat\ndata: {}\nid: 5\n\n")
	f.Add("event:token\r\ndata:{\"jti\":\"x\"}\r\n\r\n")
	f.Add("event: client\ndata: {\"client_id\":\ndata: \"a\"}\n\n: comment\n\nevent: all\n\n")
	f.Add("event: heartbeat\nid: 99999999999999999999\n\nevent: token\ndata: x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		g := &Guard{clock: newClock(), marks: newMarks(), settle: func() {}}
		g.heartbeat.Store(never)
		s := stream{guard: g, opened: func() {}, heard: func() {}, first: true}
		if err := s.read(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Error("it ended without an error")
		}
		if g.hears(g.clock()) && !strings.Contains(text, "ready") {
			t.Errorf("it trusts %q", text)
		}
	})
}

// FuzzAuthorization sends any header. Nobody gets in, and the status is one of RFC 6750.
func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer x")
	f.Add("bearer  x y")
	f.Add("Basic eDp5")
	f.Add("Bearer " + unknownToken)
	fake := newFake(f)
	g := fake.guard()
	handler := g.Require("read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { f.Error("it got in") }))
	f.Fuzz(func(t *testing.T, header string) {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header["Authorization"] = []string{header}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != 400 && answer.Code != 401 {
			t.Errorf("%q: %d", header, answer.Code)
		}
	})
}
