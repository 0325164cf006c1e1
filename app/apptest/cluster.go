package apptest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	clusterNodes = 3
	clusterSlots = 16384
)

// RedisCluster is three primaries with an equal share of the slots. It has no replicas, so the cluster is
// down when one node is.
type RedisCluster struct {
	Addrs []string
	URL   string // in the form of redis.ParseClusterURL
	Nodes []*Redis
}

// StartRedisCluster returns a cluster that every node reports as complete.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{}
	buses := make([]int, clusterNodes)
	for i := range buses {
		node := startRedis(t, "", func(port int) (args []string, err error) {
			buses[i], err = freePort()
			return clusterArgs(port, buses[i]), err
		})
		c.Nodes = append(c.Nodes, node)
		c.Addrs = append(c.Addrs, node.Addr)
	}
	c.URL = urlOf(c.Addrs, url.Values{})
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	for i := range c.Nodes {
		must(t, c.join(ctx, i, buses[i]))
	}
	for _, node := range c.Nodes {
		client := node.Client()
		must(t, node.process.ready(func(ctx context.Context) error { return clusterComplete(ctx, client) }))
	}
	return c
}

func clusterArgs(port, bus int) []string {
	return redisArgs(port, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "2000",
		// The default is the port plus 10000, which may be taken.
		"--cluster-port", strconv.Itoa(bus))
}

// join gives node i its share of the slots and introduces it to the first node.
func (c *RedisCluster) join(ctx context.Context, i, bus int) error {
	client := c.Nodes[i].Client()
	if err := client.ClusterAddSlotsRange(ctx, i*clusterSlots/clusterNodes, (i+1)*clusterSlots/clusterNodes-1).Err(); err != nil {
		return err
	}
	// Nodes with equal epochs would have to agree first.
	if err := client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
		return err
	}
	if i == 0 {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Addrs[i])
	if err != nil {
		return err
	}
	return c.Nodes[0].Client().Do(ctx, "CLUSTER", "MEET", host, port, bus).Err()
}

// clusterComplete returns an error unless the node sees all slots served and all nodes present.
func clusterComplete(ctx context.Context, node *redis.Client) error {
	info, err := node.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_size:%d", clusterNodes)} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("not %s:\n%s", want, info)
		}
	}
	return nil
}
