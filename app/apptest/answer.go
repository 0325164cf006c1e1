package apptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Answer is the answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// JSON returns the members of the body. It is empty if the body is not a JSON object.
func (a Answer) JSON() map[string]any {
	members := map[string]any{}
	if err := json.Unmarshal([]byte(a.Body), &members); err != nil {
		return map[string]any{}
	}
	return members
}

// Text returns a member of the body that is a string, or an empty text.
func (a Answer) Text(member string) string {
	text, _ := a.JSON()[member].(string)
	return text
}

// Member returns a member of the body as JSON, or an empty text.
func (a Answer) Member(name string) string {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(a.Body), &members); err != nil {
		return ""
	}
	return string(members[name])
}

// Post sends form to path, with HTTP Basic as curl -u does. If user is empty, it sends no credentials.
func (s *Server) Post(path, user, secret, form string) Answer {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		request.SetBasicAuth(user, secret)
	}
	return s.Do(request)
}

// Get fetches path from the public listener.
func (s *Server) Get(path string) Answer {
	s.t.Helper()
	return s.GetAs(path, "", "")
}

// GetAs is like Get, with HTTP Basic unless user is empty.
func (s *Server) GetAs(path, user, secret string) Answer {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, secret)
	}
	return s.Do(request)
}

// Do sends a request and follows no redirect.
func (s *Server) Do(request *http.Request) Answer {
	s.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// Token returns a new token of a client. The test fails if the client gets none.
func (s *Server) Token(user, secret string) string {
	s.t.Helper()
	answer := s.Post("/token", user, secret, "grant_type=client_credentials")
	if answer.Status != http.StatusOK {
		s.t.Fatalf("no token: %d %s", answer.Status, answer.Body)
	}
	return answer.Text("access_token")
}

// Active asks as user whether a token is active. The test fails if there is no answer.
func (s *Server) Active(user, secret, token string) bool {
	s.t.Helper()
	answer := s.Post("/introspect", user, secret, url.Values{"token": {token}}.Encode())
	active, told := answer.JSON()["active"].(bool)
	if answer.Status != http.StatusOK || !told {
		s.t.Fatalf("no introspection: %d %s", answer.Status, answer.Body)
	}
	return active
}
