package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Memory is the memory that Redis uses, in bytes.
type Memory struct {
	Used  int64 // for data, without the buffers of connections
	Index int64 // part of Used for all sorted sets, which are the indexes of tokens by client
	Value int64 // key and value of one token, average of a sample
}

// Memory measures Redis and a sample of tokens.
func (s *Stack) Memory(ctx context.Context, sample []string) (m Memory, err error) {
	info, err := s.Redis.Info(ctx, "memory").Result()
	if err != nil {
		return m, fmt.Errorf("memory of Redis: %w", err)
	}
	if m.Used, err = dataIn(info); err != nil {
		return m, err
	}
	if m.Index, err = s.indexMemory(ctx); err != nil {
		return m, fmt.Errorf("memory of the indexes: %w", err)
	}
	if len(sample) == 0 {
		return m, nil
	}
	keys := make([]string, len(sample))
	for i, token := range sample {
		id := sha256.Sum256([]byte(token))
		keys[i] = "oauth:token:" + hex.EncodeToString(id[:])
	}
	total, err := s.memoryOf(ctx, keys)
	if err != nil {
		return m, fmt.Errorf("memory of a token: %w", err)
	}
	m.Value = total / int64(len(keys))
	return m, nil
}

func dataIn(info string) (int64, error) {
	values := map[string]int64{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			values[name] = n
		}
	}
	used, connections := values["used_memory"], values["mem_clients_normal"]
	if used == 0 {
		return 0, fmt.Errorf("no used_memory in INFO memory: %q", info)
	}
	return used - connections, nil
}

func (s *Stack) indexMemory(ctx context.Context) (total int64, err error) {
	var cursor uint64
	for {
		var keys []string
		if keys, cursor, err = s.Redis.ScanType(ctx, cursor, "*", 10_000, "zset").Result(); err != nil {
			return 0, err
		}
		bytes, err := s.memoryOf(ctx, keys)
		if err != nil {
			return 0, err
		}
		total += bytes
		if cursor == 0 {
			return total, nil
		}
	}
}

// memoryOf returns the memory of keys, which must all exist. It counts every element and estimates nothing.
func (s *Stack) memoryOf(ctx context.Context, keys []string) (total int64, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	answers, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.MemoryUsage(ctx, key, 0)
		}
		return nil
	})
	for _, answer := range answers {
		total += answer.(*redis.IntCmd).Val()
	}
	return total, err
}
