package app

import "chit/tokens"

// replicas returns what must have a write before it is acknowledged.
func (c *Config) replicas() tokens.Replicas {
	return tokens.Replicas{Count: c.RedisWaitReplicas, OnIssue: c.RedisWaitOnIssue == "on"}
}

// canWait reports whether the Redis of the settings can wait for replicas. It is not the place to say
// what is wrong with a URL.
func (c *Config) canWait() bool {
	if c.Embedded() {
		return false
	}
	client, err := tokens.Connect(c.RedisURL)
	if err != nil {
		return true
	}
	defer client.Close()
	return tokens.CanWait(client)
}
