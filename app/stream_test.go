package app_test

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// streamed is a server with the resource server api and a stream.
func streamed(t *testing.T) (*apptest.Server, *apptest.Stream) {
	t.Helper()
	s := apptest.Real(t)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + models.HashSecret("api") + "', true)")
	stream := s.Receive("api", "api")
	stream.Quiet(1)
	return s, stream
}

// silence returns how long it takes until the next event. The test fails if that is a heartbeat, or if the
// pause is shorter than at least.
func silence(t *testing.T, stream *apptest.Stream, since time.Time, atLeast time.Duration) {
	t.Helper()
	event := stream.Next()
	for event.At.Before(since) {
		event = stream.Next()
	}
	if event.Name != "all" {
		t.Errorf("the first event after a loss is %+v", event)
	}
	if pause := event.At.Sub(since); pause < atLeast {
		t.Errorf("it hears again after %v, in a fault of %v", pause, atLeast)
	}
	stream.Quiet(2)
}

// A node that may have missed changes sends no heartbeat, and "all" when it hears again.
func TestNoHeartbeatWithoutHearing(t *testing.T) {
	t.Parallel()
	const fault = 1500 * time.Millisecond
	for name, during := range map[string]struct{ begin, end func(*apptest.Server) }{
		"Redis is frozen":  {func(s *apptest.Server) { s.Redis.Pause() }, func(s *apptest.Server) { s.Redis.Resume() }},
		"Redis is killed":  {func(s *apptest.Server) { s.Redis.Kill() }, func(s *apptest.Server) { s.Redis.Start() }},
		"no more tracking": {func(s *apptest.Server) { forbid(s, "-client|tracking") }, func(s *apptest.Server) { forbid(s, "+client") }},
		"triggers disabled": {
			func(s *apptest.Server) { s.Exec("ALTER TABLE oauth_client DISABLE TRIGGER USER") },
			func(s *apptest.Server) {
				s.Exec("ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_update; ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_delete; ALTER TABLE oauth_client ENABLE ALWAYS TRIGGER oauth_client_notify_truncate")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, stream := streamed(t)
			during.begin(s)
			began := time.Now()
			time.Sleep(fault)
			during.end(s)
			silence(t, stream, began.Add(500*time.Millisecond), fault-500*time.Millisecond)
		})
	}
}

// forbid changes what the server's user may do, and ends its connections.
func forbid(s *apptest.Server, rule string) {
	s.Redis.CLI("ACL", "SETUSER", "default", rule)
	s.Redis.CLI("CLIENT", "KILL", "TYPE", "pubsub")
}

// If somebody turns keyspace events off, the node turns them on again and says that it may have missed some.
func TestKeyspaceEventsTurnedOff(t *testing.T) {
	t.Parallel()
	s, stream := streamed(t)
	s.Redis.CLI("CONFIG", "SET", "notify-keyspace-events", "Kx")
	if event := stream.NextChange(); event.Name != "all" {
		t.Errorf("%+v", event)
	}
	stream.Quiet(2)
	if now := s.Redis.CLI("CONFIG", "GET", "notify-keyspace-events"); strings.Trim(strings.Fields(now)[1], "gexEK") != "" || len(strings.Fields(now)[1]) != 5 {
		t.Errorf("the setting is %s", now)
	}
}

// A receiver that does not read is cut off and does not delay the others.
func TestReceiverThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s, stream := streamed(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /invalidations HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YXBpOmFwaQ==\r\n\r\n")
	receivers := func(n int) func() bool {
		return func() bool {
			return strings.Contains(apptest.Get(t, s.OpsURL+"/metrics").Body, fmt.Sprintf("\nchit_invalidation_receivers %d\n", n))
		}
	}
	apptest.Eventually(t, 2*time.Second, "two receivers", receivers(2))
	client := s.Redis.Client()
	for round := 0; !receivers(1)(); round++ {
		keys := make([]any, 0, 1000)
		names := make([]string, 0, 500)
		for i := range 500 {
			names = append(names, fmt.Sprintf("oauth:token:%d-%d", round, i))
			keys = append(keys, names[i], "x")
		}
		if err := client.MSet(t.Context(), keys...).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Del(t.Context(), names...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	stream.Quiet(2)
}

// SIGTERM ends streams in order, after the delay, and the process does not wait for them.
func TestStreamEndsAtSIGTERM(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, []string{"CHIT_SHUTDOWN_DELAY=700ms"})
	stream := apptest.Receive(t, p.URL, "my-resource-server", "my-resource-secret")
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	for event := stream.Next(); event.Name != ""; event = stream.Next() {
	}
	if took := time.Since(began); took < 600*time.Millisecond || took > 3*time.Second {
		t.Errorf("the stream ended after %v", took)
	}
	if err := stream.Err(); err != nil {
		t.Errorf("the stream was cut: %v", err)
	}
	p.Ended(5 * time.Second)
}
