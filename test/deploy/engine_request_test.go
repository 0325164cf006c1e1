package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// post sends a form through HAProxy.
func (e *engine) post(path, user, secret string, form url.Values) (status int, body string, err error) {
	request, err := http.NewRequest("POST", "https://localhost"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(user, secret)
	response, err := e.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// token gets a token through HAProxy.
func (e *engine) token(user, secret string) (string, error) {
	status, body, err := e.post("/token", user, secret, url.Values{"grant_type": {"client_credentials"}})
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("%d %s %w", status, body, err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = json.Unmarshal([]byte(body), &answer)
	return answer.AccessToken, err
}

// active returns an error unless the token is active.
func (e *engine) active(user, secret, token string) error {
	status, body, err := e.post("/introspect", user, secret, url.Values{"token": {token}})
	if err != nil || status != http.StatusOK || !strings.Contains(body, `"active":true`) {
		return fmt.Errorf("%d %s %w", status, body, err)
	}
	return nil
}
