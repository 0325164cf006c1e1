package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"
)

// bearer is the token_type of every token here (RFC 6750).
const bearer = "Bearer"

const jsonType = "application/json"

// answer writes value as JSON.
func answer(c echo.Context, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.Blob(status, jsonType, body)
}

// empty answers 200 without a body, with the content type that some clients insist on.
func empty(c echo.Context) error { return c.Blob(http.StatusOK, jsonType, nil) }
