package apptest_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) { apptest.Run(m) }

func TestDatabase(t *testing.T) {
	t.Parallel()
	one, two := apptest.Database(t), apptest.Database(t)
	apptest.Psql(t, one, "CREATE TABLE a (b text); INSERT INTO a VALUES ('x'), ('y');")
	if got := apptest.Psql(t, one, "SELECT b, 1 FROM a ORDER BY b"); got != "x|1\ny|1" {
		t.Errorf("rows: %q", got)
	}
	if got := apptest.Psql(t, two, "SELECT count(*) FROM pg_tables WHERE tablename = 'a'"); got != "0" {
		t.Errorf("tables of the first database in the second: %q", got)
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var gone string
	t.Run("uses one and leaves a connection open", func(t *testing.T) {
		gone = apptest.Database(t)
		connect(t, gone)
	})
	if _, err := pgx.Connect(t.Context(), gone); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connect to a dropped database: %v", err)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(apptest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	if _, err := pgx.Connect(t.Context(), u.String()); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("connect with a wrong password: %v", err)
	}
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	p := apptest.StartPostgreSQL(t, "work_mem=5MB", "fsync=on")
	if got := apptest.Psql(t, p.URL, "SHOW work_mem; SHOW fsync"); got != "5MB\non" {
		t.Errorf("settings: %q", got)
	}
	for name, end := range map[string]func(){"stop": p.Stop, "kill": p.Kill} {
		conn := connect(t, p.URL)
		apptest.Psql(t, p.URL, "CREATE TABLE "+name+" ()")
		end()
		if err := conn.Ping(t.Context()); err == nil {
			t.Errorf("%s: the connection is alive", name)
		}
		if _, err := pgx.Connect(t.Context(), p.URL); err == nil {
			t.Errorf("%s: the server is alive", name)
		}
		p.Start()
		apptest.Psql(t, p.URL, "SELECT FROM "+name)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := apptest.StartRedis(t)
	client := r.Client()
	if got := r.CLI("PING"); got != "PONG" {
		t.Errorf("PING: %q", got)
	}
	r.CLI("SET", "k", "two words")
	if got := client.Get(t.Context(), "k").Val(); got != "two words" {
		t.Errorf("GET: %q", got)
	}
	for name, end := range map[string]func(){"stop": r.Stop, "kill": r.Kill} {
		end()
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: the server is alive", name)
		}
		r.Start()
		if got := r.CLI("DBSIZE"); got != "0" {
			t.Errorf("%s: keys left: %s", name, got)
		}
	}
}

func TestRedisPause(t *testing.T) {
	t.Parallel()
	r := apptest.StartRedis(t)
	client := r.Client()
	r.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Do(ctx, "PING").Err(); err == nil {
		t.Error("a paused server answers")
	}
	r.Resume()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("resumed: %v", err)
	}
	r.Pause() // the end of the test must cope with it
}

func TestRedisArguments(t *testing.T) {
	t.Parallel()
	r := apptest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always", "--requirepass", "s3cret/")
	r.CLI("SET", "k", "v")
	r.Kill()
	r.Start()
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // the test is over
	if got, err := client.Get(t.Context(), "k").Result(); got != "v" {
		t.Errorf("GET after a crash: %q, %v", got, err)
	}
	options.Password = "wrong"
	stranger := redis.NewClient(options)
	defer stranger.Close() //nolint:errcheck // the test is over
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("a wrong password is accepted")
	}
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	s := apptest.StartRedisSentinel(t)
	options, err := redis.ParseFailoverURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewFailoverClient(options)
	defer client.Close() //nolint:errcheck // the test is over
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := s.Master(t.Context()); got != s.Primary.Addr {
		t.Fatalf("master: %s, want the primary %s", got, s.Primary.Addr)
	}
	if got := s.Replica.Client().Wait(t.Context(), 0, time.Second).Err(); got == nil {
		t.Error("the replica takes WAIT, which is for a primary")
	}
	s.Primary.Kill()
	eventually(t, "the replica is the master", func() bool { return s.Master(t.Context()) == s.Replica.Addr })
	eventually(t, "the client writes to the new master", func() bool { return client.Set(t.Context(), "k", "w", 0).Err() == nil })
	if got := s.Replica.CLI("GET", "k"); got != "w" {
		t.Errorf("GET on the new master: %q", got)
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := apptest.StartRedisCluster(t)
	options, err := redis.ParseClusterURL(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(options)
	defer client.Close() //nolint:errcheck // the test is over
	for i := range 100 {
		key := "k" + strconv.Itoa(i)
		if err := client.Set(t.Context(), key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), key).Int(); got != i {
			t.Errorf("GET %s: %d, %v", key, got, err)
		}
	}
	for _, node := range c.Nodes {
		if node.CLI("DBSIZE") == "0" {
			t.Errorf("%s has no key of 100", node.Addr)
		}
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // its server may be gone
	return conn
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !check(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 15 seconds: %s", what)
		}
	}
}
