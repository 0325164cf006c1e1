package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// Loop is a closed-loop client: each connection sends its next request when it has the answer to the last
// one.
type Loop struct {
	client      *fasthttp.HostClient
	connections int
}

// NewLoop returns a client for the server at baseURL.
func NewLoop(baseURL string, connections int) (*Loop, error) {
	parsed, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	return &Loop{&fasthttp.HostClient{Addr: parsed.Host, MaxConns: connections, ReadTimeout: 10 * time.Second}, connections}, nil
}

// Close closes the connections. None of them may be in use.
func (l *Loop) Close() { l.client.CloseIdleConnections() }

// Issue issues n tokens to the clients in turn, and returns them in the order of the requests. It calls
// progress, unless it is nil, with the number of tokens so far.
func (l *Loop) Issue(ctx context.Context, clients []Client, n int, progress func(int)) ([]string, error) {
	tokens := make([]string, n)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range l.connections {
		group.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				body, err := l.do(Issue(clients[i%len(clients)]))
				if err != nil {
					return err
				}
				if tokens[i], err = tokenIn(body); err != nil {
					return err
				}
				if progress != nil && i%10_000 == 0 {
					progress(i)
				}
			}
			return context.Cause(ctx)
		})
	}
	return tokens, group.Wait()
}

func tokenIn(body []byte) (string, error) {
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("answer to a token request: %w: %s", err, body)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("no token in %s", body)
	}
	return answer.Token, nil
}

// Ask sends one request and returns the body of the answer. The status must be 200.
func (l *Loop) Ask(r Request) (string, error) {
	body, err := l.do(r)
	return string(body), err
}

// Answer has the time of a request and its latency.
type Answer struct {
	Sent time.Time
	Took time.Duration
}

// Repeat sends requests in rotation until ctx ends, and returns all answers. Each body must contain
// expected.
func (l *Loop) Repeat(ctx context.Context, requests []Request, expected string) ([]Answer, error) {
	var group errgroup.Group
	var next atomic.Int64
	answers := make([][]Answer, l.connections)
	for i := range l.connections {
		group.Go(func() error {
			for ctx.Err() == nil {
				sent := time.Now()
				body, err := l.do(requests[int(next.Add(1))%len(requests)])
				if err != nil {
					return err
				}
				answers[i] = append(answers[i], Answer{sent, time.Since(sent)})
				if !strings.Contains(string(body), expected) {
					return errors.New("wrong answer: " + string(body))
				}
			}
			return nil
		})
	}
	err := group.Wait()
	var all []Answer
	for _, of := range answers {
		all = append(all, of...)
	}
	return all, err
}

func (l *Loop) do(r Request) ([]byte, error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.SetRequestURI("http://" + l.client.Addr + r.Path)
	request.Header.SetMethod(r.Method)
	request.Header.SetContentType("application/x-www-form-urlencoded")
	request.Header.Set("Authorization", r.authorization())
	request.SetBodyString(r.Form)
	if err := l.client.Do(request, response); err != nil {
		return nil, err
	}
	body := append([]byte(nil), response.Body()...)
	if response.StatusCode() != fasthttp.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", r.Method, r.Path, response.StatusCode(), body)
	}
	return body, nil
}
