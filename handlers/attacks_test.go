package handlers_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// attack is a sequence of bytes that an attacker writes to a connection, and the expected answers.
type attack struct {
	name string
	raw  string
	want []int // statuses of all answers, in their order
	then after
}

// after is the state of the connection after an attack.
type after int

const (
	stays  after = iota // takes another request
	closes              // does not answer any more
	ends                // does not answer any more, and the attacker closes its side, so the test need not wait
)

// probe is a request that shows that the connection is still usable and in step.
const probe = "GET /healthz HTTP/1.1\r\nHost: chit\r\nX-Request-Id: probe\r\nConnection: close\r\n\r\n"

// For every attack, the answer is a client error. Bytes that one server takes for a body and another for a
// request are answered once at most. The log repeats no bytes of the attack, and other clients are served.
func TestRawAttacks(t *testing.T) {
	s := register(apptest.Embedded(t))
	t.Run("all", func(t *testing.T) {
		for _, rows := range [][]attack{lengthAttacks, codingAttacks, chunkAttacks, headAttacks, targetAttacks, bodyAttacks, pipelines} {
			for _, row := range rows {
				t.Run(row.name, func(t *testing.T) {
					t.Parallel()
					row.run(t, s)
				})
			}
		}
	})
	if !s.Active("alice", secret, s.Token("alice", secret)) {
		t.Error("the server does not serve any more")
	}
	checkNothingPrivateIsLogged(t, s)
}

func (a attack) run(t *testing.T, s *apptest.Server) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second)) // the server gives up after 5
	raw, want := a.raw, a.want
	if a.then == stays {
		raw, want = raw+probe, append(slices.Clone(want), http.StatusOK)
	}
	go func() {
		io.WriteString(conn, raw) // the server may close before it has read everything
		if a.then == ends {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	got, last := answers(t, conn)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if (last == "probe") != (a.then == stays) {
		t.Errorf("the last answer is to %q", last)
	}
}

// answers reads answers until the server closes the connection. It returns their statuses, and the request
// id of the last one.
func answers(t *testing.T, conn net.Conn) (statuses []int, last string) {
	t.Helper()
	reader := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("the connection stays open, and nothing comes")
			}
			return statuses, last
		}
		body, _ := io.ReadAll(response.Body) // the connection may be reset after the answer
		if strings.Contains(string(body), secret) {
			t.Errorf("the answer has the secret: %s", body)
		}
		statuses, last = append(statuses, response.StatusCode), response.Header.Get("X-Request-Id")
	}
}

func checkNothingPrivateIsLogged(t *testing.T, s *apptest.Server) {
	t.Helper()
	lines(t, s) // every answer is JSON
	for _, private := range []string{secret, authorization, base64.StdEncoding.EncodeToString([]byte("alice:wr0ng")), "smuggled", "made-up", `\u0000`, `\ufffd`, `\r`} {
		if strings.Contains(s.Log(), private) {
			t.Errorf("%q is in the log", private)
		}
	}
	if token := regexp.MustCompile(`chits?_[A-Z2-7]{50}`).FindString(s.Log()); token != "" {
		t.Errorf("the token %s is in the log", token)
	}
}

// Parts of attacks.
const (
	authorization = "Authorization: Basic YWxpY2U6czNjcmV0\r\n" // alice:s3cret
	formType      = "Content-Type: application/x-www-form-urlencoded\r\n"
	fields        = "Host: chit\r\n" + authorization + formType
	head          = "POST /token HTTP/1.1\r\n" + fields
	grant         = "grant_type=client_credentials" // 29 bytes, 1d in hexadecimal
	length        = "Content-Length: 29\r\n"
	chunked       = "Transfer-Encoding: chunked\r\n"
	chunk         = "1d\r\n" + grant + "\r\n0\r\n\r\n"
	smuggled      = "GET /smuggled HTTP/1.1\r\nHost: chit\r\n\r\n"
)

// post returns a token request with additional header fields and any body.
func post(fields, body string) string { return head + fields + "\r\n" + body }

// postForm returns a request with a form and a declared length.
func postForm(form string) string {
	return post(fmt.Sprintf("Content-Length: %d\r\n", len(form)), form)
}

// postChunks returns a request with a form in one chunk.
func postChunks(form string) string {
	return post(chunked, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(form), form))
}

// to returns a correct token request for another target.
func to(target string) string {
	return strings.Replace(post(length, grant), "/token", target, 1)
}

// as returns a correct token request with another Authorization header. The header must end with a line
// break.
func as(field string) string {
	return strings.Replace(post(length, grant), authorization, field, 1)
}

// anonymous returns a token request without an Authorization header.
func anonymous(form string) string { return strings.Replace(postForm(form), authorization, "", 1) }

// basic returns the Authorization header for an id and a secret that are already joined.
func basic(joined string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(joined)) + "\r\n"
}

// ofSize returns a token request form with this many bytes.
func ofSize(bytes int) string { return grant + "&x=" + strings.Repeat("a", bytes-len(grant)-3) }

// parameters returns a token request form with this many parameters.
func parameters(count int) string {
	form := grant
	for i := range count - 1 {
		form += fmt.Sprintf("&p%d=1", i)
	}
	return form
}
