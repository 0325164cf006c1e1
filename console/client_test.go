package console_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"chit/app/apptest"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// operator sends requests with a token. Every request that is accepted and every answer are held against
// the OpenAPI document.
type operator struct {
	*testing.T
	server *apptest.Server
	token  string
	routes routers.Router
}

// document returns the OpenAPI document of the repository.
func document(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return document
}

// employ returns an operator whose token has these scopes.
func employ(t *testing.T, s *apptest.Server, scopes string) *operator {
	t.Helper()
	id := "ops-" + strings.NewReplacer(":", "-", " ", "-").Replace(scopes)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + id + "', '" + models.HashSecret(secret) + "', '" + scopes + "')")
	routes, err := legacy.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	return &operator{t, s, s.Token(id, secret), routes}
}

// secret is the secret of the operators.
const secret = "s3cret"

// as is the same operator in a subtest.
func (o *operator) as(t *testing.T) *operator {
	other := *o
	other.T = t
	return &other
}

// do sends a request. The headers are "Name: value".
func (o *operator) do(method, path, body string, headers ...string) apptest.Answer {
	o.Helper()
	request, err := http.NewRequestWithContext(o.Context(), method, o.server.OpsURL+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	answer := apptest.Send(o, request.Clone(o.Context()))
	request.Body = io.NopCloser(strings.NewReader(body))
	o.check(request, answer)
	return answer
}

// check holds a request and its answer against the document.
func (o *operator) check(request *http.Request, answer apptest.Answer) {
	o.Helper()
	request.URL.Host, request.URL.Scheme = "", ""
	route, parameters, err := o.routes.FindRoute(request)
	if err != nil {
		if answer.Status != http.StatusNotFound && answer.Status != http.StatusMethodNotAllowed {
			o.Errorf("%s %s answers %d and is not in the document: %v", request.Method, request.URL.Path, answer.Status, err)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	if err := openapi3filter.ValidateRequest(o.Context(), input); err != nil && answer.Status < http.StatusBadRequest {
		o.Errorf("%s %s answers %d, and the document says of the request: %v", request.Method, request.URL, answer.Status, err)
	}
	err = openapi3filter.ValidateResponse(o.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.Status, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader([]byte(answer.Body))), Options: input.Options,
	})
	if err != nil {
		o.Errorf("the answer to %s %s is not that of the document: %v\n%d %s", request.Method, request.URL, err, answer.Status, answer.Body)
	}
}

// want expects a status.
func (o *operator) want(status int, answer apptest.Answer) apptest.Answer {
	o.Helper()
	if answer.Status != status {
		o.Errorf("status %d, want %d: %s", answer.Status, status, answer.Body)
	}
	return answer
}

// ended expects the answer to a request that ends tokens. If the work goes on in the background, as on a busy
// machine, it waits for its end.
func (o *operator) ended(answer apptest.Answer) (r revocation) {
	o.Helper()
	if answer.Status != http.StatusAccepted {
		o.want(http.StatusOK, answer)
	}
	if within := into[client](o.T, answer).Revocation; within != nil {
		r = *within
	} else {
		r = into[revocation](o.T, answer)
	}
	if r.Finished != (answer.Status == http.StatusOK) {
		o.Errorf("status %d: %s", answer.Status, answer.Body)
	}
	if !r.Finished {
		apptest.Eventually(o, 20*time.Second, "the end of the work", func() bool {
			latest := into[stats](o.T, o.want(200, o.do("GET", "/admin/stats", ""))).Revocations[0]
			r.Removed, r.Finished = latest.Removed, latest.EndedAt != nil
			return r.Finished
		})
	}
	return r
}

// into decodes an answer.
func into[T any](t *testing.T, answer apptest.Answer) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer.Body), &value); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return value
}
