package guard

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxAnswer is the size of the largest answer that is read, in bytes.
const maxAnswer = 64 << 10

// node is an address of the authorization server.
type node struct {
	address       string // scheme and host
	issuer        string
	metadata      string // URL
	authorization string // value of the header

	found atomic.Pointer[endpoints]

	mu       sync.Mutex // held while the metadata is read
	failedAt time.Time
	failure  error
}

// endpoints are the URLs in the metadata (RFC 8414 §2).
type endpoints struct {
	Issuer        string `json:"issuer"`
	Introspection string `json:"introspection_endpoint"`
	Invalidation  string `json:"invalidation_endpoint"`
}

func newNode(c Config, address string) *node {
	n := &node{address: strings.TrimSuffix(address, "/"), issuer: c.Issuer}
	path := ""
	if issuer, err := url.Parse(c.Issuer); err == nil {
		path = strings.TrimSuffix(issuer.EscapedPath(), "/")
	}
	n.metadata = n.address + "/.well-known/oauth-authorization-server" + path
	// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
	joined := url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(c.ClientSecret)
	n.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(joined))
	return n
}

// find returns the endpoints. It reads the metadata once.
func (n *node) find(ctx context.Context, client *http.Client) (*endpoints, error) {
	if found := n.found.Load(); found != nil {
		return found, nil
	}
	began := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if found := n.found.Load(); found != nil {
		return found, nil
	}
	if n.failedAt.After(began) {
		return nil, n.failure
	}
	found, err := n.discover(ctx, client)
	if err != nil {
		n.failedAt, n.failure = time.Now(), err
		return nil, err
	}
	n.found.Store(found)
	return found, nil
}

// discover reads the metadata. The issuer in it must be the one that was configured (RFC 8414 §3.3).
func (n *node) discover(ctx context.Context, client *http.Client) (*endpoints, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.metadata, nil)
	if err != nil {
		return nil, err
	}
	response, body, err := do(client, request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", n.metadata, response.StatusCode)
	}
	var e endpoints
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%s is not metadata: %w", n.metadata, err)
	}
	if strings.TrimSuffix(e.Issuer, "/") != strings.TrimSuffix(n.issuer, "/") {
		return nil, fmt.Errorf("the issuer in %s is %q, and the one in the settings is %q", n.metadata, e.Issuer, n.issuer)
	}
	if e.Introspection, err = n.at(e.Introspection); err != nil {
		return nil, fmt.Errorf("introspection_endpoint in %s: %w", n.metadata, err)
	}
	if e.Invalidation == "" {
		return &e, nil // another server, which has no stream
	}
	if e.Invalidation, err = n.at(e.Invalidation); err != nil {
		return nil, fmt.Errorf("invalidation_endpoint in %s: %w", n.metadata, err)
	}
	return &e, nil
}

// at returns an endpoint with the address of the node.
func (n *node) at(endpoint string) (string, error) {
	if !isHTTP(endpoint) {
		return "", fmt.Errorf("%q is not an http(s) URL", endpoint)
	}
	issuer, err := url.Parse(n.issuer)
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	if issuer.Scheme+"://"+issuer.Host == n.address {
		return endpoint, nil
	}
	return n.address + parsed.RequestURI(), nil
}

// do sends a request and reads the answer.
func do(client *http.Client, request *http.Request) (*http.Response, []byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return response, body, err
}

var errNoAnswer = errors.New("the answer is not that of an introspection endpoint")

// introspect asks a node about a token.
func (g *Guard) introspect(n *node, d digest, bearer string) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	e, err := n.find(ctx, g.asking)
	if err != nil {
		return nil, unavailable("read the metadata", err)
	}
	form := url.Values{"token": {bearer}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Introspection, strings.NewReader(form))
	if err != nil {
		return nil, unavailable("introspect", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", n.authorization)
	request.Header["Idempotency-Key"] = nil // lets net/http repeat the request if an idle connection was closed
	g.introspections.Add(1)
	asked, calendar := g.clock()
	response, body, err := do(g.asking, request)
	if err != nil {
		return nil, unavailable("introspect", err)
	}
	if response.StatusCode == http.StatusUnauthorized {
		return nil, unavailable("introspect", g.badCredentials())
	}
	var told introspection
	err = json.Unmarshal(body, &told)
	if response.StatusCode != http.StatusOK {
		return nil, unavailable("introspect", fmt.Errorf("%s answers with status %d", e.Introspection, response.StatusCode))
	}
	if err != nil || told.Active == nil {
		return nil, unavailable("introspect", errNoAnswer)
	}
	a := g.answerOf(told, d)
	a.asked, a.stale = asked, response.Header.Get("X-Chit-Stale") != ""
	keep := told.lifetime(response.Header, calendar)
	a.expires, a.calendar = asked+int64(keep), calendar+int64(keep)
	return a, nil
}

func (g *Guard) badCredentials() error {
	return fmt.Errorf("the authorization server refuses the credentials of client %q: check its id and secret", g.config.ClientID)
}
