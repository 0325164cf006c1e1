package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startRedis starts a server without persistence. Its password makes sure that no other server is emptied
// by mistake.
func (s *Stack) startRedis(ctx context.Context) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server is not installed: apt-get install redis-server")
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	password := rand.Text()
	s.RedisURL = (&url.URL{Scheme: "redis", User: url.UserPassword("default", password), Host: address}).String()
	logging.Disable() // go-redis logs errors that it also returns
	s.Redis = redis.NewClient(&redis.Options{
		Addr: address, Password: password, MaxRetries: -1, DialerRetries: 1, ReadTimeout: readyWithin, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return s.start(ctx, program{path: path, stop: syscall.SIGTERM, args: []string{
		"--bind", "127.0.0.1", "--port", port, "--requirepass", password, "--save", "", "--appendonly", "no",
	}}, func(ctx context.Context) error { return s.Redis.Ping(ctx).Err() })
}

// Empty deletes everything in Redis.
func (s *Stack) Empty(ctx context.Context) error {
	if err := s.Redis.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	return nil
}
