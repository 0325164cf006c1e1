// Invoices is a resource server in Go. The package guard checks the tokens.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"chit/guard"
)

func main() {
	g, err := guard.New(guard.Config{
		Issuer:       "http://localhost:8080",
		ClientID:     "my-resource-server",
		ClientSecret: os.Getenv("INVOICES_CLIENT_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /invoices", g.Require("openid")(http.HandlerFunc(list)))
	log.Fatal(http.ListenAndServe("127.0.0.1:8001", mux))
}

func list(w http.ResponseWriter, r *http.Request) {
	token, _ := guard.FromContext(r.Context())
	fmt.Fprintf(w, "invoices for %s\n", token.ClientID)
}
