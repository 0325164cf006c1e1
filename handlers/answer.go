package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"
)

// answer writes value as JSON.
func answer(c echo.Context, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return write(c, status, body)
}

// empty answers 200 without a body. Some clients insist on the content type.
func empty(c echo.Context) error { return write(c, http.StatusOK, nil) }

// jsonTypes is shared by all answers, which saves an allocation for each. It must not be changed.
var jsonTypes = []string{"application/json"}

// closing tells a client to open a new connection for its next request. It is shared by all answers and
// must not be changed.
var closing = []string{"close"}

func write(c echo.Context, status int, body []byte) error {
	c.Response().Header()["Content-Type"] = jsonTypes
	if x, is := c.(*exchange); is && x.draining.Load() {
		c.Response().Header()["Connection"] = closing
	}
	c.Response().WriteHeader(status)
	_, err := c.Response().Write(body)
	return err
}

// appendString appends a member with a text value to a JSON object.
func appendString(object []byte, name, text string) []byte {
	object = append(object, name...)
	if !plain(text) {
		quoted, _ := json.Marshal(text) // a string can always be marshalled
		return append(object, quoted...)
	}
	object = append(object, '"')
	object = append(object, text...)
	return append(object, '"')
}

// appendValue appends a member to a JSON object. The value must be one that can always be marshalled.
func appendValue(object []byte, name string, value any) []byte {
	text, _ := json.Marshal(value)
	return append(append(object, name...), text...)
}

// plain reports whether JSON needs no escapes for text.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
