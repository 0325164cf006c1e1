//go:build faults

package faults_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Clients without a balancer use a server that is stopped. Every request on an established connection, new
// or old, is answered. After that, all connections are refused.
func TestSIGTERMLosesNoRequest(t *testing.T) {
	for _, row := range []struct {
		connections int
		delay       string
		pause       time.Duration // pause of a client between two requests
	}{
		{64, "500ms", 0},
		{300, "500ms", 0},
		{300, "0s", 0},
		{150, "300ms", 30 * time.Millisecond},
		{300, "2s", 0},
	} {
		t.Run(fmt.Sprint(row.connections, " connections, delay ", row.delay, ", pause ", row.pause), func(t *testing.T) {
			node := oneNode(t, "CHIT_SHUTDOWN_DELAY="+row.delay)
			var answered atomic.Int64
			var wait sync.WaitGroup
			for range row.connections {
				wait.Go(func() { answered.Add(askUntilRefused(t, node, row.pause)) })
			}
			time.Sleep(500 * time.Millisecond)
			node.terminate()
			wait.Wait()
			t.Logf("%d requests answered", answered.Load())
			if answered.Load() < int64(row.connections) {
				t.Errorf("only %d requests answered", answered.Load())
			}
		})
	}
}

// askUntilRefused makes one request after the other, each on a new connection, until no connection can be
// opened. It returns the number of answers.
func askUntilRefused(t *testing.T, node *chit, pause time.Duration) (answered int64) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 2 * hung}
	for {
		request, err := http.NewRequest(http.MethodPost, node.URL+"/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			t.Error(err)
			return answered
		}
		request.SetBasicAuth(user, secret)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := client.Do(request)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return answered
		}
		if err != nil {
			t.Error(err)
			return answered
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
			t.Error(response.Status, err)
		}
		answered++
		time.Sleep(pause)
	}
}
