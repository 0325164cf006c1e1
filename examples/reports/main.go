// Reports is a service without any code for tokens. It could be in any language. chit guard checks the
// tokens in front of it, and only passes on requests with a good one.
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "reports for %s\n", r.Header.Get("X-Chit-Client-Id"))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:3000", nil))
}
