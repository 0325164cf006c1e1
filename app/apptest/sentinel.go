package apptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisSentinel is a primary, its replica, and three sentinels. Two sentinels must agree that the primary
// is down, which takes a second. The replica is promoted some seconds later.
type RedisSentinel struct {
	Addrs      []string // addresses of the sentinels
	MasterName string
	Primary    *Redis // at the start
	Replica    *Redis
	Sentinels  []*Redis
	URL        string // in the form of redis.ParseFailoverURL
}

// StartRedisSentinel returns a group that is ready for a failover: the replica is in sync, and every
// sentinel knows all servers.
func StartRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	s := &RedisSentinel{MasterName: "chit"}
	// Without a delay the primary does not wait for more replicas before it serves the first one.
	s.Primary = StartRedis(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(s.Primary.Addr)
	must(t, err)
	s.Replica = StartRedis(t, "--replicaof", host, port)
	for range 3 {
		sentinel := s.startSentinel(t, host, port)
		s.Sentinels = append(s.Sentinels, sentinel)
		s.Addrs = append(s.Addrs, sentinel.Addr)
	}
	s.URL = urlOf(s.Addrs, url.Values{"master_name": {s.MasterName}})
	for _, sentinel := range s.Sentinels {
		must(t, sentinel.process.ready(func(ctx context.Context) error { return s.complete(ctx, sentinel.Addr) }))
	}
	return s
}

func (s *RedisSentinel) startSentinel(t testing.TB, host, port string) *Redis {
	t.Helper()
	// A sentinel writes to its configuration, so each one needs its own file.
	path := filepath.Join(t.TempDir(), "sentinel.conf")
	return startRedis(t, "", func(own int) ([]string, error) {
		conf := fmt.Sprintf("bind 127.0.0.1\nport %d\nsentinel monitor %s %s %s 2\n", own, s.MasterName, host, port) +
			fmt.Sprintf("sentinel down-after-milliseconds %s 1000\n", s.MasterName) +
			fmt.Sprintf("sentinel failover-timeout %s 5000\n", s.MasterName)
		return []string{path, "--sentinel"}, os.WriteFile(path, []byte(conf), 0o600)
	})
}

// complete returns an error unless the sentinel at addr knows a replica in sync and both other sentinels.
func (s *RedisSentinel) complete(ctx context.Context, addr string) error {
	client := redis.NewSentinelClient(&redis.Options{Addr: addr})
	defer client.Close() //nolint:errcheck // it has no unwritten data
	primary, err := client.Master(ctx, s.MasterName).Result()
	if err != nil {
		return err
	}
	replicas, err := client.Replicas(ctx, s.MasterName).Result()
	if err != nil {
		return err
	}
	if primary["num-other-sentinels"] != "2" || len(replicas) != 1 || replicas[0]["master-link-status"] != "ok" {
		return errors.New("the sentinels have not found everyone")
	}
	return nil
}

// Master returns the address of the primary that the sentinels name now. It is empty if none has answered.
func (s *RedisSentinel) Master(ctx context.Context) string {
	for _, addr := range s.Addrs {
		client := redis.NewSentinelClient(&redis.Options{Addr: addr, DialTimeout: time.Second})
		found, err := client.GetMasterAddrByName(ctx, s.MasterName).Result()
		_ = client.Close()
		if err == nil && len(found) == 2 {
			return net.JoinHostPort(found[0], found[1])
		}
	}
	return ""
}

// Hold prevents another failover. Without it, the sentinels may mistake a busy server for one that is down.
func (s *RedisSentinel) Hold(t testing.TB) {
	t.Helper()
	for _, addr := range s.Addrs {
		client := redis.NewSentinelClient(&redis.Options{Addr: addr})
		err := client.Set(t.Context(), s.MasterName, "down-after-milliseconds", "600000").Err()
		_ = client.Close()
		must(t, err)
	}
}

// urlOf returns the URL of several servers for go-redis: the first as the host, the others as addr
// parameters.
func urlOf(addrs []string, query url.Values) string {
	query["addr"] = addrs[1:]
	u := url.URL{Scheme: "redis", Host: addrs[0], RawQuery: query.Encode()}
	return u.String()
}
