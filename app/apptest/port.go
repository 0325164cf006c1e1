package apptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports come from below the range that the kernel takes for outgoing connections (32768 and up on Linux, 49152 elsewhere). A port
// of that range could be taken by any connection while its server is down, even by a client that calls the server back: on
// loopback a dial to a closed port may be given that same port, and connects to itself.
const (
	firstPort = 10000
	lastPort  = 32767
)

// portsGiven keeps two servers of this process from getting one port while neither listens yet.
var portsGiven sync.Map

// freePort returns a loopback port on which nobody listens now. Another process may be faster: whoever starts a server on it
// must be ready to ask for the next.
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
