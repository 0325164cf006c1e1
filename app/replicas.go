package app

import "chit/tokens"

// replicas returns the settings for acknowledgement by replicas.
func (c *Config) replicas() tokens.Replicas {
	return tokens.Replicas{Count: c.RedisWaitReplicas, OnIssue: c.RedisWaitOnIssue == "on"}
}

// canWait reports whether the Redis of the settings supports waiting for replicas. It returns true for a
// wrong URL, which is reported elsewhere.
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
