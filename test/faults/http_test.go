//go:build faults

package faults_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// do sends a request and returns status, headers and body of the answer.
func do(client *http.Client, request *http.Request) (int, http.Header, string, error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(body), err
}

// closedIdle is what net/http says of a connection that ended when the request was about to be written. It
// exports no value for this error.
const closedIdle = "http: server closed idle connection"

// kindOf describes in one word why there was no answer.
func kindOf(err error) string {
	var late net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE),
		strings.HasSuffix(err.Error(), closedIdle):
		return "reset"
	case errors.As(err, &late) && late.Timeout():
		return "hung"
	}
	return err.Error()
}

// member returns a member of a JSON object, or its zero value.
func member[T any](body, name string) T {
	members := map[string]any{}
	_ = json.Unmarshal([]byte(body), &members) // text that is not an object has no members
	value, _ := members[name].(T)
	return value
}
