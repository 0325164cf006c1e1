// The ceiling: Echo answering a constant to a GET. No server made with Echo is faster on this machine.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
)

func main() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "constant") })
	log.Fatal(e.Start(os.Getenv("LISTEN")))
}
