package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/labstack/echo/v4"
)

// alive answers 200 while the process serves.
func (a *API) alive(c echo.Context) error {
	return answer(c, http.StatusOK, map[string]string{"status": "ok"})
}

// ping runs the check. A panic counts as a failure, because it would end the process in this goroutine.
func (c Check) ping(ctx context.Context) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return c.Ping(ctx)
}

// ready answers 200 while the server can answer requests. The status is "ready" if every dependency
// answers, and "degraded" if the server can work without those that do not. Otherwise, and while the server
// drains, the answer is 503.
func (a *API) ready(c echo.Context) error {
	x := c.(*exchange)
	// Half of the timeout, so that the answer is not later than that of any other request.
	ctx, cancel := context.WithTimeout(x.Request().Context(), a.Timeout/2)
	defer cancel()
	states := make([]error, len(a.Checks))
	var wait sync.WaitGroup
	for i, check := range a.Checks {
		wait.Go(func() { states[i] = check.ping(ctx) })
	}
	wait.Wait()

	status, body := http.StatusOK, map[string]string{"status": "ready"}
	for i, check := range a.Checks {
		body[check.Name] = "ok"
		if states[i] == nil {
			continue
		}
		body[check.Name] = "out of reach"
		if check.Spared == nil || !check.Spared() {
			status, body["status"] = http.StatusServiceUnavailable, "not ready"
		} else if status == http.StatusOK {
			body["status"] = "degraded"
		}
	}
	if a.draining.Load() {
		status, body["status"] = http.StatusServiceUnavailable, "stopping"
	}
	x.cause = errors.Join(states...)
	return answer(x, status, body)
}
