package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/labstack/echo/v4"
	"golang.org/x/oauth2/clientcredentials"

	"chit/app"
	"chit/guard"
)

// Protect a handler of net/http.
func Example() {
	issuer, stop := startServer()
	defer stop()
	g, err := guard.New(guard.Config{Issuer: issuer, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	list := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := guard.FromContext(r.Context())
		fmt.Fprintf(w, "invoices for %s", token.ClientID)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /invoices", g.Require("openid")(list))
	mux.Handle("DELETE /invoices", g.Require("invoices.write")(list))

	token := tokenOf(issuer)
	call(mux, "GET", "/invoices", token)
	call(mux, "GET", "/invoices", "")
	call(mux, "DELETE", "/invoices", token)
	// Output:
	// 200 invoices for my-machine-client
	// 401 Bearer realm="chit"
	// 403 Bearer realm="chit", error="insufficient_scope", scope="invoices.write"
}

// Protect routes of Echo.
func Example_echo() {
	issuer, stop := startServer()
	defer stop()
	g, err := guard.New(guard.Config{Issuer: issuer, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	e := echo.New()
	e.GET("/invoices", func(c echo.Context) error {
		token, _ := guard.FromContext(c.Request().Context())
		return c.String(http.StatusOK, "invoices for "+token.ClientID)
	}, echo.WrapMiddleware(g.Require("openid")))

	call(e, "GET", "/invoices", tokenOf(issuer))
	call(e, "GET", "/invoices", "rubbish")
	// Output:
	// 200 invoices for my-machine-client
	// 401 Bearer realm="chit", error="invalid_token"
}

// Protect a router that takes middlewares as func(http.Handler) http.Handler, such as chi: write
// r.Use(g.Require("openid")).
func ExampleGuard_Require() {
	issuer, stop := startServer()
	defer stop()
	g, err := guard.New(guard.Config{Issuer: issuer, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	var router http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") })
	for _, middleware := range []func(http.Handler) http.Handler{g.Require("openid", "profile")} {
		router = middleware(router)
	}
	call(router, "GET", "/", tokenOf(issuer))
	// Output:
	// 200 welcome
}

// Check a token that did not come over HTTP.
func ExampleGuard_Check() {
	issuer, stop := startServer()
	defer stop()
	g, err := guard.New(guard.Config{Issuer: issuer, ClientID: "my-resource-server", ClientSecret: "my-resource-secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	for _, bearer := range []string{tokenOf(issuer), "rubbish"} {
		token, err := g.Check(context.Background(), bearer)
		switch {
		case errors.Is(err, guard.ErrInactive):
			fmt.Println("refused")
		case err != nil: // guard.ErrUnavailable
			fmt.Println("try again later:", err)
		default:
			fmt.Println(token.ClientID, token.Scopes)
		}
	}
	// Output:
	// my-machine-client [openid profile]
	// refused
}

// startServer starts an embedded server and returns its issuer.
func startServer() (issuer string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir, err := os.MkdirTemp("", "chit-example-")
	if err != nil {
		panic(err)
	}
	config, err := app.ParseConfig("--listen="+address, "--ops-listen=127.0.0.1:0", "--issuer=http://"+address, "--embedded-database="+filepath.Join(dir, "chit.db"))
	if err != nil {
		panic(err)
	}
	server, err := app.Start(context.Background(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	return "http://" + address, func() {
		_ = server.Stop(context.Background(), 0) // the example is over
		os.RemoveAll(dir)
	}
}

// tokenOf returns a token of the demo client.
func tokenOf(issuer string) string {
	client := clientcredentials.Config{ClientID: "my-machine-client", ClientSecret: "my-secret", TokenURL: issuer + "/token"}
	token, err := client.Token(context.Background())
	if err != nil {
		panic(err)
	}
	return token.AccessToken
}

// call sends a request to a handler and prints the status, and the body or the challenge.
func call(handler http.Handler, method, path, token string) {
	request := httptest.NewRequest(method, path, nil)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	body, _ := io.ReadAll(recorder.Body) // it is in memory
	if challenge := recorder.Header().Get("WWW-Authenticate"); challenge != "" {
		body = []byte(challenge)
	}
	fmt.Println(recorder.Code, string(body))
}
