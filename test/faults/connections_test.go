//go:build faults

package faults_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// idleConnections is the number of connections without a request, if the limit on open files allows that.
const idleConnections = 10_000

// Idle connections cost little memory, and other clients are served.
func TestIdleConnections(t *testing.T) {
	n := idleConnections
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if spare := int(min(limit.Cur, 1<<20)) - 1000; spare < n {
		t.Logf("only %d files may be open: %d connections instead of %d", limit.Cur, spare, n)
		n = spare
	}
	// The resident memory has garbage in it. With GOGC=100 that is no more than what is in use; by default the
	// server lets it grow to four times as much, so the result would depend on when the last collection was.
	node := oneNode(t, "GOGC=100")
	before := node.resident()
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			for range n / 20 {
				idle(t, node)
			}
		})
	}
	wait.Wait()
	c := run(t, node, 16, outage)
	each := (node.resident() - before) / n
	t.Logf("with %d idle connections: served %d, p99 %v; %d KiB a connection", n, c.served, c.p99(), each>>10)
	if c.served == 0 || c.shed > 0 || c.p99() > requestTimeout/4 {
		t.Errorf("served %d, shed %d, p99 %v", c.served, c.shed, c.p99())
	}
	if each > 40<<10 {
		t.Errorf("%d bytes a connection", each)
	}
}

// idle opens a connection, makes one request, and leaves the connection open.
func idle(t *testing.T, node *chit) {
	conn := dial(t, node)
	if conn == nil {
		return
	}
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: chit\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // the content does not matter
}

func dial(t *testing.T, node *chit) net.Conn {
	conn, err := net.Dial("tcp", node.address)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// There are more slow senders, of headers and of bodies, than places for requests. They take no place, are
// disconnected after a while, and get less memory than they announce.
func TestSlowSenders(t *testing.T) {
	const senders = 400
	node := oneNode(t, "CHIT_MAX_CONCURRENT=50")
	done := make(chan struct{})
	var wait sync.WaitGroup
	head := "POST /token HTTP/1.1\r\nHost: chit\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for _, begin := range []string{head, head + "Content-Length: 65000\r\n\r\n"} {
		for range senders / 2 {
			conn := dial(t, node)
			if conn == nil {
				t.FailNow()
			}
			wait.Go(func() { trickle(conn, begin, done) })
		}
	}
	c := run(t, node, 16, outage)
	close(done)
	wait.Wait()
	t.Logf("with %d slow senders: served %d, p99 %v; memory %d MiB", senders, c.served, c.p99(), node.resident()>>20)
	if c.served == 0 || c.shed > 0 || c.p99() > requestTimeout/4 {
		t.Errorf("served %d, shed %d, p99 %v", c.served, c.shed, c.p99())
	}
}

// trickle sends a byte every second after begin.
func trickle(conn net.Conn, begin string, done <-chan struct{}) {
	for _, err := io.WriteString(conn, begin); err == nil; _, err = io.Copy(conn, strings.NewReader("a")) {
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
	}
}
