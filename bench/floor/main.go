// The floor is a plain server, as one writes it in an afternoon: Echo, clients in memory, encoding/json and
// one Redis command for each request, all with their defaults. It has no log, no index, no metrics and no
// limits. The results for Chit are ratios to this server.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

const lifetime = time.Hour

// record is the stored value of a token.
type record struct {
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

type server struct {
	redis   *redis.Client
	secrets map[string][sha256.Size]byte // by client id
}

func main() {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	s := server{redis.NewClient(options), map[string][sha256.Size]byte{}}
	for _, client := range strings.Fields(os.Getenv("CLIENTS")) {
		id, secret, _ := strings.Cut(client, ":")
		s.secrets[id] = sha256.Sum256([]byte(secret))
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST("/token", s.token)
	e.POST("/introspect", s.introspect)
	log.Fatal(e.Start(os.Getenv("LISTEN")))
}

// authenticated returns the id of the client that sent the request.
func (s server) authenticated(c echo.Context) (string, bool) {
	id, secret, _ := c.Request().BasicAuth()
	want, known := s.secrets[id]
	got := sha256.Sum256([]byte(secret))
	return id, known && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func (s server) token(c echo.Context) error {
	client, ok := s.authenticated(c)
	if !ok {
		return c.JSON(http.StatusUnauthorized, echo.Map{"error": "invalid_client"})
	}
	if c.FormValue("grant_type") != "client_credentials" {
		return c.JSON(http.StatusBadRequest, echo.Map{"error": "unsupported_grant_type"})
	}
	now := time.Now()
	kept := record{ClientID: client, Scope: "openid profile", IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix()}
	value, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	token := rand.Text()
	if err := s.redis.Set(c.Request().Context(), "floor:"+token, value, lifetime).Err(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}{token, "Bearer", int(lifetime.Seconds()), kept.Scope})
}

func (s server) introspect(c echo.Context) error {
	if _, ok := s.authenticated(c); !ok {
		return c.JSON(http.StatusUnauthorized, echo.Map{"error": "invalid_client"})
	}
	value, err := s.redis.Get(c.Request().Context(), "floor:"+c.FormValue("token")).Bytes()
	if errors.Is(err, redis.Nil) {
		return c.JSON(http.StatusOK, echo.Map{"active": false})
	}
	if err != nil {
		return err
	}
	var kept record
	if err := json.Unmarshal(value, &kept); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Active    bool   `json:"active"`
		TokenType string `json:"token_type"`
		record
	}{true, "Bearer", kept})
}
