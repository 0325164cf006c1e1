package app_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// receiver is a receiver of traces, by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*v1.Span
	text  string // everything that was received
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", request.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.text += export.String()
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

// of returns the spans with this name in a trace, or in any trace if it is empty.
func (r *receiver) of(name, traceID string) (found []*v1.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, span := range r.spans {
		if span.Name == name && (traceID == "" || hex.EncodeToString(span.TraceId) == traceID) {
			found = append(found, span)
		}
	}
	return found
}

// traced are a server with traces and a client.
func traced(t *testing.T, r *receiver, settings ...string) *apptest.Process {
	t.Helper()
	database := apptest.Migrated(t)
	apptest.Psql(t, database, "INSERT INTO oauth_client (client_id, client_secret_hash, client_name, is_resource_server) VALUES ('job', '"+models.HashSecret("s3cret")+"', 'A name', true)")
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}
	return apptest.StartChit(t, append(env, settings...))
}

// with sends a token request as part of a trace of the caller.
func with(t *testing.T, p *apptest.Process, path, form, traceparent string) apptest.Answer {
	t.Helper()
	request, err := http.NewRequest("POST", p.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Traceparent", traceparent)
	request.SetBasicAuth("job", "s3cret")
	return apptest.Send(t, request)
}

// A request is a child of its caller's span. Its statements and its round trips are below it, and its line
// in the log has the id of the trace. Spans have no keys and no values.
func TestTracesOfARequest(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := traced(t, r)
	traceID, parent := strings.Repeat("a1", 16), strings.Repeat("b2", 8)
	answer := with(t, p, "/token", tokenPlease, "00-"+traceID+"-"+parent+"-01")
	token := answer.Text("access_token")
	if token == "" {
		t.Fatal(answer.Body)
	}
	for _, name := range []string{"POST /token", "load clients", "query oauth_client", "query oauth_client_retired_secret", "redis batch"} {
		apptest.Eventually(t, 5*time.Second, name, func() bool { return len(r.of(name, traceID)) == 1 })
	}
	request := r.of("POST /token", traceID)[0]
	if hex.EncodeToString(request.ParentSpanId) != parent || request.Kind != v1.Span_SPAN_KIND_SERVER {
		t.Errorf("%v", request)
	}
	for child, parent := range map[string]string{"load clients": "POST /token", "query oauth_client": "load clients", "redis batch": "POST /token"} {
		if !slices.Equal(r.of(child, traceID)[0].ParentSpanId, r.of(parent, traceID)[0].SpanId) {
			t.Errorf("%s is not below %s", child, parent)
		}
	}
	apptest.Eventually(t, 5*time.Second, "the line of the log", func() bool {
		return strings.Contains(p.Stderr.String(), `"trace_id":"`+traceID+`"`)
	})
	p.Signal(syscall.SIGINT)
	p.Ended(10 * time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !strings.Contains(r.text, `{string_value:"chit"}`) && !strings.Contains(r.text, `string_value:"chit"`) {
		t.Errorf("no name of the service: %s", r.text)
	}
	for _, secret := range []string{token, tokens.ID(token), "s3cret", models.HashSecret("s3cret"), "job", "A name", "oauth:"} {
		if strings.Contains(r.text, secret) {
			t.Errorf("%q is in the spans", secret)
		}
	}
}

// One round trip serves many requests. Each of their spans leads to it.
func TestTracesOfABatch(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := traced(t, r)
	token := with(t, p, "/token", tokenPlease, "").Text("access_token")
	apptest.Eventually(t, 20*time.Second, "a batch with links", func() bool {
		var wait sync.WaitGroup
		for i := range 50 {
			wait.Go(func() {
				with(t, p, "/introspect", "token="+token, fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
			})
		}
		wait.Wait()
		for _, batch := range r.of("redis batch", "") {
			for _, link := range batch.Links {
				for _, request := range r.of("POST /introspect", hex.EncodeToString(link.TraceId)) {
					if slices.Equal(request.SpanId, link.SpanId) && len(request.Links) == 1 && slices.Equal(request.Links[0].SpanId, batch.SpanId) {
						return true
					}
				}
			}
		}
		return false
	})
}

// A caller may say that its trace is not recorded. A receiver that is away does no harm.
func TestTracesThatAreNotRecorded(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := traced(t, r)
	with(t, p, "/token", tokenPlease, "00-"+strings.Repeat("c3", 16)+"-"+strings.Repeat("d4", 8)+"-00")
	with(t, p, "/token", tokenPlease, "malformed")
	apptest.Eventually(t, 5*time.Second, "the other request", func() bool { return len(r.of("POST /token", "")) > 0 })
	if got := r.of("POST /token", strings.Repeat("c3", 16)); len(got) > 0 {
		t.Errorf("%v", got)
	}
	r.Close()
	with(t, p, "/token", tokenPlease, "")
	p.Signal(syscall.SIGINT)
	if state := p.Ended(15 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v: %s", state, p.Stderr.String())
	}
}

// What a stranger makes up names no span.
func TestTracesOfStrangers(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := traced(t, r)
	for _, url := range []string{p.OpsURL + "/admin/clients", p.OpsURL + "/admin/elsewhere", p.OpsURL + "/clients", p.URL + "/token", p.URL + "/elsewhere"} {
		request, err := http.NewRequest("BREW", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		apptest.Send(t, request)
	}
	apptest.Get(t, p.OpsURL+"/login")
	for _, name := range []string{"GET /login", "other /admin/clients", "other unmatched", "other /token"} {
		apptest.Eventually(t, 5*time.Second, name, func() bool { return len(r.of(name, "")) > 0 })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.Contains(r.text, "BREW") || strings.Contains(r.text, "elsewhere") {
		t.Error(r.text)
	}
}

func TestWrongSettingsOfTraces(t *testing.T) {
	t.Parallel()
	got := apptest.Chit(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "serve")
	if got.Status != 2 || !strings.Contains(got.Stderr, `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not supported: write http/protobuf`) {
		t.Errorf("%+v", got)
	}
}
