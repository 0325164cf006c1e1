package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// endpoint is an address to listen on.
type endpoint struct {
	name    string // for metrics
	address string
	setting string // the variable to name if the port is taken
	files   keyPair
	asks    bool // clients for certificates
}

// listen starts the server on an endpoint and returns its URL.
func (s *Server) listen(at endpoint, server *http.Server, log *slog.Logger) (string, error) {
	scheme, serve := "http", server.Serve
	if at.files.isSet() {
		certificate, err := openCertificate(at.files, log)
		if err != nil {
			return "", err
		}
		certificate.register(s.registry, at.name)
		s.certificates = append(s.certificates, certificate)
		server.TLSConfig = certificate.serverTLS()
		if at.asks {
			// What is shown is checked for each request, because it depends on the client what counts.
			server.TLSConfig.ClientAuth = tls.RequestClientCert
		}
		scheme, serve = "https", func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // sockets with MPTCP do not support the filter that drain uses
	inner, err := config.Listen(context.Background(), "tcp", at.address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("%s is in use by another program: stop it, or set %s to another address", at.address, at.setting)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", at.setting, err)
	}
	l := &listener{Listener: inner, open: map[*connection]bool{}}
	// HTTP/2 is off: docs/adr/0009-certificates-by-file-and-http-1.md.
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.ReadHeaderTimeout = readHeaderTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = maxHeaderBytes
	server.ConnState = noteState
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	s.servers, s.listeners = append(s.servers, server), append(s.listeners, l)
	go func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) && !l.isClosed() {
			s.failed <- err
		}
	}()
	return scheme + "://" + l.Addr().String(), nil
}

// listener keeps track of its open connections. It may be closed before its server, and more than once.
type listener struct {
	net.Listener

	mu     sync.Mutex // guards the fields below
	open   map[*connection]bool
	closed bool
}

// connection is an accepted connection.
type connection struct {
	net.Conn
	of       *listener
	accepted time.Time
	state    atomic.Int32 // an http.ConnState
}

// noteState is the ConnState callback of a server.
func noteState(conn net.Conn, state http.ConnState) {
	if secure, is := conn.(*tls.Conn); is {
		conn = secure.NetConn()
	}
	if c, is := conn.(*connection); is {
		c.state.Store(int32(state))
	}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: inner, of: l, accepted: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
	return c, nil
}

// Close closes the listener and leaves its connections open.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.Listener.Close()
}

func (l *listener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Close closes the connection.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
