package repository

// Size returns the number of rows.
func (c *Cache) Size() int { return c.rows.EstimatedSize() }

// Loads returns the number of queries to the database since the start.
func (c *Cache) Loads() int64 { return c.loads.Load() }

// Hits returns how often a client was found in memory since the start.
func (c *Cache) Hits() int64 { return c.hits.Load() }

// Hearing reports whether Watch receives notifications at this time.
func (c *Cache) Hearing() bool {
	news := c.news.Load()
	return !news.lost && c.now().Sub(news.until) < trust
}
