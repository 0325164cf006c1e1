package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"text/template"
)

type serveCommand struct {
	Config `embed:""`
}

func (s *serveCommand) Help() string {
	return "Example:\n\n  CHIT_DATABASE_URL=postgres://chit:…@db:5432/chit CHIT_REDIS_URL=redis://default:…@redis:6379 chit serve\n\nIf neither URL is set, the database and Redis are embedded, and you need not install anything."
}

// Run serves until a signal arrives or a listener fails. After SIGTERM and SIGHUP the server first waits
// for load balancers to notice. SIGHUP is ignored if it was ignored at the start. After SIGINT, which comes
// from a terminal, there is no delay. A second signal ends the process at once. SIGPIPE is ignored: the
// reader of the log may go away and come back.
func (s *serveCommand) Run(c *console) error {
	if err := s.complete(); err != nil {
		return usageError{err}
	}
	setGarbageCollection()
	signal.Ignore(syscall.SIGPIPE)
	log, buffer := newLogger(c.err, s.LogFormat, s.LogLevel)
	defer buffer.close()
	server, err := Start(c, s.Config, log)
	if err != nil {
		return err
	}
	server.registry.MustRegister(droppedLines(buffer))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	log.Info("listening", "url", server.URL, "ops_url", server.OpsURL, "embedded", s.Embedded())
	if !s.Embedded() && strings.HasPrefix(s.Issuer, "http:") {
		log.Warn("CHIT_ISSUER is not an https URL, which RFC 8414 requires", "issuer", s.Issuer)
	}
	if s.Embedded() {
		if err := welcome(c.out, server, s.EmbeddedDatabase); err != nil {
			return err
		}
	}
	select {
	case err := <-server.Failed():
		return err
	case received := <-signals:
		return s.stop(c, server, log, received, signals)
	}
}

// gcPercent is the default of GOGC. This server has a small heap and much garbage. Collecting at five times
// the heap instead of twice takes some megabytes more and saves most of the collections.
const gcPercent = 400

func setGarbageCollection() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// stop stops the server after a first signal, and returns at once after a second one. It receives the
// second signal itself, because shells start background jobs with SIGINT ignored.
func (s *serveCommand) stop(c *console, server *Server, log *slog.Logger, first os.Signal, more <-chan os.Signal) error {
	delay := s.ShutdownDelay.Duration
	if first == syscall.SIGINT {
		delay = 0
	}
	log.Info("stopping", "signal", first.String(), "delay", delay.String())
	ctx, cancel := context.WithTimeout(c, delay+s.ShutdownTimeout.Duration)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop(ctx, delay) }()
	select {
	case err := <-stopped:
		log.Info("stopped")
		return err
	case second := <-more:
		return fmt.Errorf("a second signal, %v: ended without waiting for requests in flight", second)
	}
}

var welcomeText = template.Must(template.New("welcome").Parse(`
Chit is running at {{.URL}}, with everything embedded: clients are kept in {{.Database}},
tokens in this process. Metrics are at {{.OpsURL}}/metrics. Ctrl-C stops it.

Get a token:

  ANSWER=$({{.Curl}} -u {{.Client}}:{{.ClientSecret}} -d grant_type=client_credentials {{.URL}}/token) || echo "$ANSWER"
  TOKEN=$(printf %s "$ANSWER" | grep -o '{{.Prefix}}_[A-Z2-7]*') && echo "$TOKEN"

Ask about it, as a resource server does:

  {{.Curl}} -u {{.Server}}:{{.ServerSecret}} -d "token=$TOKEN" {{.URL}}/introspect

Revoke it, as the client that owns it:

  {{.Curl}} -u {{.Client}}:{{.ClientSecret}} -d "token=$TOKEN" {{.URL}}/revoke

or as an operator, in Redis:

  redis-cli -p {{.RedisPort}} DEL "oauth:token:$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)"

`))

// welcome prints commands for a new user to paste.
func welcome(out io.Writer, server *Server, database string) error {
	client, resourceServer := demoClients[0], demoClients[1]
	curl := "curl -sS --fail-with-body"
	if strings.HasPrefix(server.URL, "https:") {
		curl = "curl -sSk --fail-with-body" // the certificate is seldom for 127.0.0.1, and these secrets are public
	}
	err := welcomeText.Execute(out, map[string]string{
		"Curl":         curl,
		"URL":          server.URL,
		"OpsURL":       server.OpsURL,
		"RedisPort":    server.RedisPort,
		"Database":     database,
		"Prefix":       server.config.TokenPrefix,
		"Client":       client.client.ClientID,
		"ClientSecret": client.secret,
		"Server":       resourceServer.client.ClientID,
		"ServerSecret": resourceServer.secret,
	})
	if err != nil {
		return fmt.Errorf("print the welcome: %w", err)
	}
	return nil
}
