package apptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are below the range that the kernel uses for outgoing connections (32768 and up on Linux, 49152
// elsewhere). While a server is down, an outgoing connection could take a port in that range. A client that
// dials a closed loopback port could even get the same port and connect to itself.
const (
	firstPort = 10000
	lastPort  = 32767
)

// portsGiven keeps two servers of this process from getting the same port.
var portsGiven sync.Map

// freePort returns a loopback port on which nothing listens. Another process may take it first, so the
// caller must be ready to ask again.
func freePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp4", loopback(port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("give back port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, errors.New("no free port on 127.0.0.1")
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
