package apptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// PostgreSQLProxy is a proxy that speaks the protocol of PostgreSQL, without TLS. Before it forwards a
// request, it calls a function that decides what happens to it.
type PostgreSQLProxy struct {
	URL string // URL of the server with the address of the proxy

	target string
	decide func() PostgreSQLFault
	conns  connections
}

// PostgreSQLFault says what happens to a request. The zero value forwards it.
type PostgreSQLFault struct {
	Delay    time.Duration
	Cut      Cut
	SQLState string // code of an error that answers the request instead of the server
	Fatal    bool   // the error also ends the connection
}

// Cut says where a connection is cut.
type Cut int

// Places where a connection is cut.
const (
	CutNowhere Cut = iota
	CutBefore      // the request does not reach the server
	CutUnheard     // the request reaches the server, but no reply reaches the client
	CutInside      // half of the reply reaches the client
	CutAfter       // all of the reply reaches the client
)

// StartPostgreSQLProxy returns a proxy for the server at a URL. It ends with the test.
func StartPostgreSQLProxy(t testing.TB, databaseURL string, decide func() PostgreSQLFault) *PostgreSQLProxy {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	must(t, err)
	p := &PostgreSQLProxy{target: parsed.Host, decide: decide}
	parsed.Host = p.conns.listen(t, p.serve)
	p.URL = parsed.String()
	return p
}

// CutAll ends every connection.
func (p *PostgreSQLProxy) CutAll() { p.conns.cutAll() }

func (p *PostgreSQLProxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.conns.keep(server)()
	s := &postgresqlSession{proxy: p, client: client, server: server}
	replies := make(chan struct{})
	go func() {
		defer close(replies)
		defer s.end()
		s.passReplies(bufio.NewReader(server))
	}()
	_ = s.passRequests(bufio.NewReader(client)) // the session is over after any error
	s.end()
	<-replies
}

// postgresqlSession is a connection through the proxy.
type postgresqlSession struct {
	proxy          *PostgreSQLProxy
	client, server net.Conn

	mu      sync.Mutex // held while writing to the client
	started bool       // the server has reported that it is ready
	cut     Cut        // for the reply that is awaited
}

func (s *postgresqlSession) end() {
	_ = s.client.Close() // errors do not matter here
	_ = s.server.Close()
}

var errCut = errors.New("cut on purpose")

// passRequests forwards the client's requests one by one, each up to a Query or a Sync.
func (s *postgresqlSession) passRequests(from *bufio.Reader) error {
	// The first message has a length and no type.
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return err
	}
	if _, err := s.server.Write(length[:]); err != nil {
		return err
	}
	if _, err := io.CopyN(s.server, from, int64(binary.BigEndian.Uint32(length[:]))-4); err != nil {
		return err
	}
	var request []byte
	for {
		message, err := readMessage(from)
		if err != nil {
			return err
		}
		request = append(request, message...)
		if kind := message[0]; kind != 'Q' && kind != 'S' && kind != 'X' && kind != 'p' {
			continue
		}
		if err := s.pass(request); err != nil {
			return err
		}
		request = nil
	}
}

func (s *postgresqlSession) pass(request []byte) error {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	var fault PostgreSQLFault
	if started && request[0] != 'X' {
		fault = s.proxy.decide()
	}
	time.Sleep(fault.Delay)
	if fault.Cut == CutBefore {
		return errCut
	}
	if fault.SQLState != "" {
		return s.refuse(fault)
	}
	s.mu.Lock()
	s.cut = fault.Cut
	s.mu.Unlock()
	_, err := s.server.Write(request)
	return err
}

// refuse answers with an error instead of the server.
func (s *postgresqlSession) refuse(fault PostgreSQLFault) error {
	severity := "ERROR"
	if fault.Fatal {
		severity = "FATAL"
	}
	fields := "S" + severity + "\x00V" + severity + "\x00C" + fault.SQLState + "\x00Ma fault of the test\x00\x00"
	answer := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(fields)))
	answer = append(answer, fields...)
	if !fault.Fatal {
		answer = append(answer, 'Z', 0, 0, 0, 5, 'I')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.client.Write(answer)
	if fault.Fatal && err == nil {
		err = errCut
	}
	return err
}

// passReplies forwards the server's messages one by one.
func (s *postgresqlSession) passReplies(from *bufio.Reader) {
	for {
		message, err := readMessage(from)
		if err != nil || !s.reply(message) {
			return
		}
	}
}

func (s *postgresqlSession) reply(message []byte) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := message[0] == 'Z'
	switch {
	case s.cut == CutUnheard:
		return false
	case s.cut == CutInside:
		_, _ = s.client.Write(message[:len(message)/2]) // the connection is cut anyway
		return false
	}
	if _, err := s.client.Write(message); err != nil || ready && s.cut == CutAfter {
		return false
	}
	s.started = s.started || ready
	return true
}

// readMessage reads a message with a type.
func readMessage(from *bufio.Reader) ([]byte, error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	message := make([]byte, 1+binary.BigEndian.Uint32(header[1:]))
	copy(message, header)
	_, err := io.ReadFull(from, message[5:])
	return message, err
}
