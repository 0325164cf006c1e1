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

	"github.com/coreos/go-systemd/v22/daemon"
)

// Serve runs a server with a complete Config until a signal arrives or a listener fails. It prints the
// welcome of the embedded mode to out and the log to errOut.
//
// After SIGTERM and SIGHUP the server first waits for load balancers to notice. SIGHUP is ignored if it was
// ignored at the start. After SIGINT, which comes from a terminal, there is no delay. A second signal ends
// the process at once. SIGPIPE is ignored: the reader of the log may go away and come back.
func Serve(ctx context.Context, config Config, out, errOut io.Writer) error {
	setGarbageCollection()
	signal.Ignore(syscall.SIGPIPE)
	log, buffer := newLogger(errOut, config.LogFormat, config.LogLevel)
	defer buffer.close()
	server, err := Start(ctx, config, log)
	if err != nil {
		return err
	}
	server.registry.MustRegister(droppedLines(buffer))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, StopSignals()...)
	log.Info("listening", "url", server.URL, "ops_url", server.OpsURL, "embedded", config.Embedded())
	if !config.Embedded() && strings.HasPrefix(config.Issuer, "http:") {
		log.Warn("CHIT_ISSUER is not an https URL, which RFC 8414 requires", "issuer", config.Issuer)
	}
	if config.Embedded() {
		if err := welcome(out, server, config.EmbeddedDatabase); err != nil {
			return err
		}
	}
	server.notifySystemd(log)
	select {
	case err := <-server.Failed():
		return err
	case received := <-signals:
		return server.stopAfter(ctx, log, received, signals)
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

// stopAfter stops the server after a first signal, and returns at once after a second one. It receives the
// second signal itself, because shells start background jobs with SIGINT ignored.
func (s *Server) stopAfter(ctx context.Context, log *slog.Logger, first os.Signal, more <-chan os.Signal) error {
	delay := s.config.ShutdownDelay.Duration
	if first == syscall.SIGINT {
		delay = 0
	}
	log.Info("stopping", "signal", first.String(), "delay", delay.String())
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // only for people who look
	ctx, cancel := context.WithTimeout(ctx, delay+s.config.ShutdownTimeout.Duration)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx, delay) }()
	select {
	case err := <-stopped:
		log.Info("stopped")
		return err
	case second := <-more:
		return fmt.Errorf("a second signal, %v: ended without waiting for requests in flight", second)
	}
}

// StopSignals returns the signals that stop a process in order. SIGHUP is not among them if it was ignored
// at the start, as it is under nohup.
func StopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
