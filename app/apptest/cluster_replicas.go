package apptest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// AddReplicas adds a replica to each primary and returns the replicas in the order of Nodes. A replica is
// promoted some seconds after its primary dies.
func (c *RedisCluster) AddReplicas(t testing.TB) []*Redis {
	t.Helper()
	var replicas []*Redis
	for _, primary := range c.Nodes {
		var bus int
		replica := startRedis(t, "", func(port int) (args []string, err error) {
			bus, err = freePort()
			return clusterArgs(port, bus), err
		})
		ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
		defer cancel()
		host, port, err := net.SplitHostPort(replica.Addr)
		must(t, err)
		must(t, primary.Client().Do(ctx, "CLUSTER", "MEET", host, port, bus).Err())
		id, err := primary.Client().Do(ctx, "CLUSTER", "MYID").Text()
		must(t, err)
		client := replica.Client()
		must(t, replica.process.ready(func(ctx context.Context) error { return client.ClusterReplicate(ctx, id).Err() }))
		replicas = append(replicas, replica)
	}
	for i, replica := range replicas {
		client := replica.Client()
		must(t, replica.process.ready(func(ctx context.Context) error { return c.knows(ctx, client, replicas[i].Addr) }))
	}
	return replicas
}

// knows returns an error unless the replica is in sync and every node knows it.
func (c *RedisCluster) knows(ctx context.Context, replica *redis.Client, addr string) error {
	info, err := replica.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, "master_link_status:up") {
		return errors.New("the replica is not in sync")
	}
	for _, node := range c.Nodes {
		nodes, err := node.Client().ClusterNodes(ctx).Result()
		if err != nil {
			return err
		}
		for line := range strings.Lines(nodes) {
			if strings.Contains(line, addr+"@") && !strings.Contains(line, "slave") {
				return errors.New("not everyone knows the replica")
			}
		}
	}
	return nil
}
