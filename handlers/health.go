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

// alive answers as long as the process serves.
func (a *API) alive(c echo.Context) error {
	return answer(c, http.StatusOK, map[string]string{"status": "ok"})
}

// ping asks. A panic, which would end the process here, is a failure.
func (c Check) ping(ctx context.Context) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return c.Ping(ctx)
}

// ready answers 200 while the server can answer requests: "ready" if everything that it needs answers, and
// "degraded" if it can do without what does not. Otherwise, and while it drains, it answers 503.
func (a *API) ready(c echo.Context) error {
	x := c.(*exchange)
	// Half of the time: whoever asks may wait no longer than for any other answer.
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
