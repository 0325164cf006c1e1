package tokens_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// An answer of Redis that does not acknowledge a write fails the request, and no answer makes the process
// panic.
func TestOnlyAReplyAcknowledges(t *testing.T) {
	for name, fault := range map[string]func(*apptest.Redis){
		"the password was changed": func(r *apptest.Redis) {
			r.CLI("CONFIG", "SET", "requirepass", "another")
		},
		"the user lost its rights": func(r *apptest.Redis) {
			r.CLI("ACL", "SETUSER", "default", "-@all", "+auth", "+hello", "+acl|setuser", "+client|kill")
		},
		"the user lost the right to write": func(r *apptest.Redis) {
			r.CLI("ACL", "SETUSER", "default", "-@write", "-@read")
		},
		"the user was disabled": func(r *apptest.Redis) {
			r.CLI("ACL", "SETUSER", "admin", "on", ">admin", "+@all", "~*")
			r.CLI("--user", "admin", "--pass", "admin", "ACL", "SETUSER", "default", "off")
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := apptest.StartRedis(t, "--requirepass", "s3cret")
			store := storeAt(t, server.URL)
			token, issued := mustIssue(t, store)
			operator := server.Client()
			if err := operator.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			fault(server)
			_ = operator.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err() // the caller is not the owner, so this may pass
			checkNothingIsAcknowledged(t, store, token, issued)
		})
	}
}

// The server of this test speaks RESP and gives the same answer to every command.
func TestRubbishAcknowledgesNothing(t *testing.T) {
	for name, reply := range map[string]string{
		"always OK":            "+OK\r\n",
		"always 0":             ":0\r\n",
		"always 1":             ":1\r\n",
		"always -7":            ":-7\r\n",
		"always nothing":       "$-1\r\n",
		"always an empty list": "*0\r\n",
		"a list too short":     "*1\r\n$1\r\na\r\n",
		"a list of numbers":    "*2\r\n:1\r\n:2\r\n",
		"an error":             "-ERR no\r\n",
		"no RESP":              "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a negative length":    "$-99\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := apptest.StartRedis(t)
			store := storeAt(t, server.URL)
			token, issued := mustIssue(t, store)
			proxied := storeAt(t, apptest.StartRedisProxy(t, server.URL, func(x *apptest.Exchange) {
				if x.Command[0] == "HELLO" {
					apptest.Pass(x)
					return
				}
				x.Reply([]byte(reply))
			}).URL)
			together(16, func(int) {
				if _, _, err := proxied.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour}); !errors.Is(err, models.ErrUnavailable) {
					t.Errorf("issue: %v", err)
				}
				if found, err := proxied.Find(t.Context(), token); err == nil {
					t.Errorf("found %v", found)
				}
				if reply[0] == ':' { // DEL answers with a number
					return
				}
				if err := proxied.Revoke(t.Context(), issued); !errors.Is(err, models.ErrUnavailable) {
					t.Errorf("revoke: %v", err)
				}
			})
		})
	}
}

// Replies that are out of step are noticed before they reach the wrong request.
func TestServerThatHangsUp(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	checkNothingIsAcknowledged(t, storeAt(t, "redis://"+listener.Addr().String()), tokens.Mint("chit"), models.AccessToken{ID: strings.Repeat("a", 64), ClientID: "c"})
}

func checkNothingIsAcknowledged(t *testing.T, store *tokens.Store, token string, issued models.AccessToken) {
	t.Helper()
	together(16, func(int) {
		for range 3 {
			if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour}); !errors.Is(err, models.ErrUnavailable) {
				t.Errorf("issue: %v", err)
			}
			if _, err := store.Find(t.Context(), token); !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrTokenNotFound) {
				t.Errorf("find: %v", err)
			}
			if err := store.Revoke(t.Context(), issued); !errors.Is(err, models.ErrUnavailable) {
				t.Errorf("revoke: %v", err)
			}
		}
	})
	if removed, err := store.PurgeAll(t.Context(), "c", nil); removed != 0 || !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("purge: %d removed, %v", removed, err)
	}
	for token, err := range store.List(t.Context(), "c") {
		if !errors.Is(err, models.ErrUnavailable) {
			t.Errorf("list: %v, %v", token, err)
		}
	}
}

func storeAt(t *testing.T, redisURL string) *tokens.Store {
	t.Helper()
	client, err := tokens.Connect(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &tokens.Store{Redis: client, Prefix: "chit", Now: time.Now, Timeout: 500 * time.Millisecond}
}

func mustIssue(t *testing.T, store *tokens.Store) (string, models.AccessToken) {
	t.Helper()
	token, issued, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return token, issued
}
