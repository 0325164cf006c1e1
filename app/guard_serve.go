package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// guardStopTimeout is how long chit guard waits for requests in progress after a signal.
const guardStopTimeout = 10 * time.Second

// Serve checks tokens until a signal arrives or a listener fails.
func (g *Guard) Serve(ctx context.Context) error {
	defer g.buffer.close()
	defer g.sidecar.Close()
	setGarbageCollection()
	signal.Ignore(syscall.SIGPIPE)
	stopped, stop := signal.NotifyContext(ctx, StopSignals()...)
	defer stop()
	failed := make(chan error, 2)
	public, err := g.listen(g.config.Listen, "CHIT_GUARD_LISTEN", g.sidecar, failed)
	if err != nil {
		return err
	}
	defer public.Close()
	ops, err := g.listen(g.config.OpsListen, "CHIT_GUARD_OPS_LISTEN", g.sidecar.Ops(), failed)
	if err != nil {
		return err
	}
	defer ops.Close()
	g.log.Info("listening", "url", "http://"+public.Addr, "ops_url", "http://"+ops.Addr, "issuer", g.config.Issuer, "upstream", g.config.Upstream)
	select {
	case err := <-failed:
		return err
	case <-stopped.Done():
	}
	stop() // another signal ends the process at once
	g.log.Info("stopping")
	waiting, cancel := context.WithTimeout(ctx, guardStopTimeout)
	defer cancel()
	if err := public.Shutdown(waiting); err != nil {
		return fmt.Errorf("requests were still in flight at the deadline: %w", err)
	}
	return nil
}

// listen starts a server and sets its Addr to the address that it listens on.
func (g *Guard) listen(address, setting string, handler http.Handler, failed chan<- error) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: stop it, or set %s to another address", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	// There is no timeout for bodies and answers: the upstream decides about them.
	server := &http.Server{
		Addr:              listener.Addr().String(),
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return server, nil
}

// client returns a client that trusts the certificate authorities of the settings, or nil for the default.
func (c *GuardConfig) client() (*http.Client, error) {
	if c.TLSCA == "" {
		return nil, nil
	}
	const setting = "CHIT_GUARD_TLS_CA"
	pem, err := os.ReadFile(c.TLSCA)
	if err != nil {
		return nil, Fault(setting, "cannot be read: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, Fault(setting, "names a file without a certificate in it: %s", c.TLSCA)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: transport}, nil
}

// allNodes reports whether each text is an http(s) URL without a path.
func allNodes(addresses []string) bool {
	for _, address := range addresses {
		if parsed, err := url.Parse(address); err != nil || !isIssuer(address) || strings.Trim(parsed.Path, "/") != "" {
			return false
		}
	}
	return true
}
