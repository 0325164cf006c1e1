package cli_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between chit and Redis. It calls a function of the test before a certain command.
type proxy struct {
	URL string

	listener net.Listener
	redis    string // address

	mu      sync.Mutex
	watched []byte // in lower case, as the client writes it
	left    int    // number of times left until then is called
	then    func()
	conns   []net.Conn
}

// startProxy returns a proxy for the Redis at rawURL.
func startProxy(t *testing.T, rawURL string) *proxy {
	t.Helper()
	parsed, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, redis: parsed.Host}
	parsed.Host = listener.Addr().String()
	p.URL = parsed.String()
	t.Cleanup(p.close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

// at sets the function that is called before a command is sent for the nth time. Redis receives the command
// after the function has returned.
func (p *proxy) at(n int, command string, then func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched, p.left, p.then = []byte("\r\n"+command+"\r\n"), n, then
}

func (p *proxy) serve(conn net.Conn) {
	redis, err := net.Dial("tcp", p.redis)
	if err != nil {
		conn.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, conn, redis)
	p.mu.Unlock()
	go func() {
		_, _ = io.Copy(conn, redis)
		conn.Close()
	}()
	defer redis.Close()
	buffer := make([]byte, 1<<20)
	var tail []byte // of what was read before: a command may arrive in two parts
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		tail = p.look(append(tail, buffer[:n]...))
		if _, err := redis.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// look counts the commands in a chunk. It returns the end of the chunk, which may be the beginning of a
// command.
func (p *proxy) look(chunk []byte) (tail []byte) {
	p.mu.Lock()
	var then func()
	if p.then != nil {
		p.left -= bytes.Count(chunk, p.watched)
		if p.left <= 0 {
			then, p.then = p.then, nil
		}
	}
	tail = bytes.Clone(chunk[max(0, len(chunk)-max(0, len(p.watched)-1)):])
	p.mu.Unlock()
	if then != nil {
		then()
	}
	return tail
}

// close ends all connections and accepts no more, like a Redis that stops.
func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
}
