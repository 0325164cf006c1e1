package apptest

import (
	"net"
	"sync"
	"testing"
)

// connections are the open connections of a proxy. The zero value is empty.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

// listen calls serve for each connection to the address that it returns, until the test ends.
func (c *connections) listen(t testing.TB, serve func(client net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.keep(client)()
				serve(client)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // the test is over
		c.cutAll()
		serving.Wait()
	})
	return listener.Addr().String()
}

// keep records an open connection. It returns a function that closes the connection.
func (c *connections) keep(conn net.Conn) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	c.open[conn] = true
	return func() {
		_ = conn.Close() // it may be closed already
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
	}
}

func (c *connections) cutAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close() // errors do not matter here
	}
}
