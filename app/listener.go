package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
)

// endpoint is where a server listens.
type endpoint struct {
	address string
	setting string // the variable to name when the port is taken
	files   keyPair
}

// listen lets server serve at an endpoint and returns its URL.
func (s *Server) listen(at endpoint, server *http.Server, log *slog.Logger) (string, error) {
	scheme, serve := "http", server.Serve
	if at.files.isSet() {
		certificate, err := openCertificate(at.files, log)
		if err != nil {
			return "", err
		}
		server.TLSConfig = certificate.serverTLS()
		scheme, serve = "https", func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	listener, err := net.Listen("tcp", at.address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("%s is in use by another program: stop it, or set %s to another address", at.address, at.setting)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", at.setting, err)
	}
	// Without HTTP/2: docs/adr/0009-certificates-by-file-and-http-1.md.
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.ReadHeaderTimeout = readHeaderTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = maxHeaderBytes
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	s.servers, s.listeners = append(s.servers, server), append(s.listeners, listener)
	go func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return scheme + "://" + listener.Addr().String(), nil
}
