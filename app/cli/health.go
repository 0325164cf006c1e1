package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"chit/app"
)

type healthCommand struct {
	Listen  string       `env:"CHIT_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Public listener of the server to ask (default ${default})."`
	TLSCert string       `name:"tls-cert" env:"CHIT_TLS_CERT" placeholder:"PATH" help:"The server's setting. If it is set, the server is asked by TLS. The certificate is not checked."`
	Timeout app.Duration `env:"CHIT_HEALTH_TIMEOUT" default:"2s" placeholder:"DURATION" help:"How long to wait for an answer (default ${default})."`
}

func (*healthCommand) Help() string {
	return "For the health checks of containers. The exit status is 0 if the server on this machine is ready. A degraded server is ready: the database is away, but known clients are served. Otherwise the exit status is 1, and a line says why.\n\nExample:\n\n  HEALTHCHECK CMD [\"chit\", \"health\"]"
}

// Run asks the server whether it is ready.
func (cmd *healthCommand) Run(c *console) error {
	faults := []error{cmd.Timeout.Check("CHIT_HEALTH_TIMEOUT", time.Millisecond)}
	if !app.IsAddress(cmd.Listen) {
		faults = append(faults, app.Fault("CHIT_LISTEN", "%q is not an address: write 127.0.0.1:8080 or :8080", cmd.Listen))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	response, err := cmd.ask(c)
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", cmd.Listen, cmd.plain(err))
	}
	defer response.Body.Close()
	var states map[string]string
	err = json.NewDecoder(response.Body).Decode(&states)
	switch status := response.StatusCode; {
	case err == nil && status == http.StatusOK && states["status"] == "ready":
	case err == nil && status == http.StatusOK && states["status"] == "degraded":
		_, err = fmt.Fprintf(c.out, "%s is ready, but %s\n", cmd.Listen, reasons(states))
		return err
	case err == nil && status == http.StatusServiceUnavailable && states["status"] != "":
		return fmt.Errorf("%s is not ready: %s", cmd.Listen, reasons(states))
	default:
		return fmt.Errorf("%s is not ready: it answers %d, and not as Chit does: is it another server?", cmd.Listen, status)
	}
	_, err = fmt.Fprintln(c.out, cmd.Listen, "is ready")
	return err
}

// ask connects to the address that the server listens on. If that means every address, Go connects to this
// machine.
//
// The certificate is not checked. The request has no secret, and the answer is as trustworthy as without
// TLS. A server should not be restarted because its certificate was replaced or has expired.
func (cmd *healthCommand) ask(ctx context.Context) (*http.Response, error) {
	scheme := "http"
	if cmd.TLSCert != "" {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/readyz", nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: cmd.Timeout.Duration, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, cmd.Listen)
		},
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	return client.Do(request)
}

// plain explains the most common failures in an operator's words.
func (cmd *healthCommand) plain(err error) error {
	var failed *url.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there")
	case errors.As(err, &failed) && failed.Timeout():
		return fmt.Errorf("no answer within %v", cmd.Timeout.Duration)
	case failed != nil:
		return failed.Err
	}
	return err
}

// reasons describes in one line what /readyz reports as not ok.
func reasons(states map[string]string) string {
	var found []string
	for name, state := range states {
		if name != "status" && state != "ok" {
			found = append(found, name+" "+state)
		}
	}
	slices.Sort(found)
	what, status := strings.Join(found, ", "), states["status"]
	switch {
	case what == "":
		return status
	case status == "not ready":
		return what
	}
	return status + ": " + what
}
