package pages

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// loginAnswer is the answer of the login of the OAuth endpoints.
type loginAnswer struct {
	status     int
	retryAfter string // seconds
	body       struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Error       string `json:"error"`
	}
}

// logIn sends the credentials to the login of the OAuth endpoints, as from the address of this visitor.
func (v *visit) logIn(clientID, secret string) (answer loginAnswer, err error) {
	form := url.Values{"client_id": {clientID}, "client_secret": {secret}}
	request, err := http.NewRequestWithContext(v.context(), http.MethodPost, v.LoginPath, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, err
	}
	request.RemoteAddr = v.r.RemoteAddr
	request.Header["X-Forwarded-For"] = v.r.Header.Values("X-Forwarded-For")
	request.Header.Set("X-Request-Id", v.requestID)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorded := recorder{header: http.Header{}, status: http.StatusOK}
	v.Login.ServeHTTP(&recorded, request)
	answer.status, answer.retryAfter = recorded.status, recorded.header.Get("Retry-After")
	err = json.Unmarshal(recorded.body.Bytes(), &answer.body)
	return answer, err
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(part []byte) (int, error) { return r.body.Write(part) }
