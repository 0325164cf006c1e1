// Client calls two services every second with a token of the client credentials grant. If a service refuses
// the token, it gets a new one.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2/clientcredentials"
)

var services = []string{"http://127.0.0.1:8001/invoices", "http://127.0.0.1:8090/reports"}

func main() {
	config := clientcredentials.Config{
		ClientID:     "my-machine-client",
		ClientSecret: "my-secret",
		TokenURL:     "http://localhost:8080/token",
	}
	client := config.Client(context.Background()) // gets a token, and a new one when it expires
	for ; ; time.Sleep(time.Second) {
		for _, url := range services {
			status, text := get(client, url)
			fmt.Printf("client: GET %s: %s %s\n", url, status, text)
			if strings.HasPrefix(status, "401") {
				fmt.Println("client: the token is not active any more, so I get a new one")
				client = config.Client(context.Background())
			}
		}
	}
}

func get(client *http.Client, url string) (status, text string) {
	response, err := client.Get(url)
	if err != nil {
		return "no answer", err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "no answer", err.Error()
	}
	return response.Status, strings.TrimSpace(string(body))
}
