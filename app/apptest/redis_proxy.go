package apptest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// RedisProxy stands between a client and a Redis and speaks RESP with both. On each connection it hands one command after the
// other to a function, which decides what becomes of it.
type RedisProxy struct {
	URL  string // the server's, with the proxy's address
	Addr string

	target string
	each   func(*Exchange)
	conns  connections
}

// Exchange is a command on its way through a RedisProxy.
type Exchange struct {
	Command []string // its name is in capitals
	Conn    *ProxyConn

	raw []byte
}

// ProxyConn is a client's connection to a RedisProxy. Its values belong to the function that decides.
type ProxyConn struct {
	Wrote bool // a command has changed something since the last WAIT

	client, server net.Conn
	replies        *bufio.Reader
	cut            bool
}

// Pass is what a proxy does that changes nothing.
func Pass(x *Exchange) { x.Reply(x.Forward()) }

// StartRedisProxy returns a proxy before the server of a URL. It ends with the test.
func StartRedisProxy(t testing.TB, redisURL string, each func(*Exchange)) *RedisProxy {
	t.Helper()
	parsed, err := url.Parse(redisURL)
	must(t, err)
	p := &RedisProxy{target: parsed.Host, each: each}
	p.Addr = p.conns.listen(t, p.serve)
	parsed.Host = p.Addr
	p.URL = parsed.String()
	return p
}

// CutAll ends every connection.
func (p *RedisProxy) CutAll() { p.conns.cutAll() }

func (p *RedisProxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.conns.keep(server)()
	conn := &ProxyConn{client: client, server: server, replies: bufio.NewReader(server)}
	requests := bufio.NewReader(client)
	for !conn.cut {
		raw, command, err := readCommand(requests)
		if err != nil {
			return
		}
		p.each(&Exchange{Command: command, Conn: conn, raw: raw})
	}
}

// Forward sends the command to the server and returns its reply as it came, or nothing when the connection has ended.
func (x *Exchange) Forward() []byte {
	reply, err := x.forward()
	if err != nil {
		x.Cut()
		return nil
	}
	return reply
}

func (x *Exchange) forward() ([]byte, error) {
	if _, err := x.Conn.server.Write(x.raw); err != nil {
		return nil, err
	}
	var reply bytes.Buffer
	err := copyReply(&reply, x.Conn.replies)
	return reply.Bytes(), err
}

// Reply sends a reply to the client, in RESP.
func (x *Exchange) Reply(raw []byte) {
	if _, err := x.Conn.client.Write(raw); err != nil {
		x.Cut()
	}
}

// Fail replies with an error, such as "OOM command not allowed".
func (x *Exchange) Fail(message string) { x.Reply([]byte("-" + message + "\r\n")) }

// Half sends the first half of a reply and ends the connection.
func (x *Exchange) Half(raw []byte) {
	_, _ = x.Conn.client.Write(raw[:len(raw)/2]) // it is cut anyway
	x.Cut()
}

// HalfClose tells the client that nothing more will come, and goes on listening to it.
func (x *Exchange) HalfClose() {
	if tcp, is := x.Conn.client.(*net.TCPConn); is {
		_ = tcp.CloseWrite() // one that is closed says so too
	}
}

// Cut ends the connection on both sides.
func (x *Exchange) Cut() {
	x.Conn.cut = true
	_ = x.Conn.client.Close() // that is all it is for
	_ = x.Conn.server.Close()
}

// WaitLikeRedis72 returns what a proxy does to answer WAIT as Redis 7.2 and later do, before any Redis: on a connection that has
// written nothing since the last WAIT that was satisfied, all replicas have it, at once.
func WaitLikeRedis72(replicas int) func(*Exchange) {
	return func(x *Exchange) {
		if x.Command[0] == "WAIT" && !x.Conn.Wrote {
			x.Reply(fmt.Appendf(nil, ":%d\r\n", replicas))
			return
		}
		reply := x.Forward()
		switch x.Command[0] {
		case "WAIT":
			want, err := strconv.Atoi(x.Command[1])
			have, otherErr := strconv.Atoi(strings.Trim(string(reply), ":\r\n"))
			x.Conn.Wrote = err != nil || otherErr != nil || have < want
		case "DEL", "UNLINK", "ZREM", "SET", "ZADD", "PEXPIRE", "ZREMRANGEBYSCORE":
			x.Conn.Wrote = x.Conn.Wrote || !bytes.Equal(reply, []byte(":0\r\n")) && !bytes.HasPrefix(reply, []byte("-"))
		}
		x.Reply(reply)
	}
}

var errNotRESP = errors.New("not RESP")

// readCommand reads a command as clients send it: an array of bulk strings.
func readCommand(r *bufio.Reader) (raw []byte, command []string, err error) {
	var buffer bytes.Buffer
	if err := copyReply(&buffer, r); err != nil {
		return nil, nil, err
	}
	raw = buffer.Bytes()
	parts := bufio.NewReader(bytes.NewReader(raw))
	line, _ := parts.ReadString('\n') // copyReply has read a whole one
	count, err := strconv.Atoi(strings.Trim(line, "*\r\n"))
	if err != nil || line[0] != '*' || count < 1 {
		return nil, nil, errNotRESP
	}
	for range count {
		line, _ := parts.ReadString('\n')
		length, err := strconv.Atoi(strings.Trim(line, "$\r\n"))
		if err != nil {
			return nil, nil, errNotRESP
		}
		part := make([]byte, length+2)
		if _, err := io.ReadFull(parts, part); err != nil {
			return nil, nil, err
		}
		command = append(command, string(part[:length]))
	}
	command[0] = strings.ToUpper(command[0])
	return raw, command, nil
}

// copyReply copies one value of RESP2 or RESP3.
func copyReply(to *bytes.Buffer, from *bufio.Reader) error {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return err
	}
	to.Write(line)
	kind, rest := line[0], strings.TrimSpace(string(line[1:]))
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return nil
	}
	length, err := strconv.Atoi(rest)
	if err != nil {
		return errNotRESP
	}
	switch kind {
	case '$', '=', '!':
		if length >= 0 {
			_, err = io.CopyN(to, from, int64(length)+2)
		}
		return err
	case '%', '|':
		length *= 2
	case '*', '~', '>':
	default:
		return errNotRESP
	}
	for range length {
		if err := copyReply(to, from); err != nil {
			return err
		}
	}
	return nil
}
