package deploy_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// standIn is an image from programs of this machine, for machines that cannot reach a registry. It takes the
// place of an image with the same name.
type standIn struct {
	image    string
	programs []string          // names or paths
	trees    map[string]string // directories, by their path in the image
	files    map[string]string // contents
	owned    map[string]int    // directories, and the user who owns them
	changes  []string          // instructions of a Dockerfile
}

// users are those of the images.
const users = "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\nredis:x:998:998::/data:/bin/sh\nhaproxy:x:997:997::/var/lib/haproxy:/bin/sh\n"

// startsPostgreSQL does what the entry point of the real image does with the variables that docker-compose.yml sets.
const startsPostgreSQL = `#!/bin/sh
set -eu
cd "$PGDATA"
if [ ! -s PG_VERSION ]; then
	initdb -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 >/dev/null
	echo "host all all all scram-sha-256" >> pg_hba.conf
	echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
`

// standIns are the images that docker-compose.yml and the Dockerfile need.
func standIns(t *testing.T) []standIn {
	t.Helper()
	initdb, err := filepath.EvalSymlinks(tool(t, "initdb", "/usr/lib/postgresql/*/bin"))
	if err != nil {
		t.Fatal(err)
	}
	postgres := filepath.Dir(initdb)
	version := filepath.Base(filepath.Dir(postgres))
	shell := []string{"sh", "sed", "cat", "mkdir", "wget"}
	goroot, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths := strings.Fields(string(goroot))
	return []standIn{
		{
			image: "golang:1.26", programs: shell,
			trees:   map[string]string{"/usr/local/go": paths[0], "/proxy": filepath.Join(paths[1], "cache/download"), "/etc/ssl/certs": "/etc/ssl/certs"},
			changes: []string{"ENV PATH=/usr/local/go/bin:/bin:/usr/bin", "ENV GOPROXY=file:///proxy", "ENV GOSUMDB=off", "ENV GOTOOLCHAIN=local", "ENV HOME=/root"},
		}, {
			image: "postgres:17", programs: append(shell, filepath.Join(postgres, "postgres"), filepath.Join(postgres, "initdb"), filepath.Join(postgres, "pg_isready"), "locale"),
			trees: map[string]string{"/usr/share/postgresql/" + version: "/usr/share/postgresql/" + version, filepath.Join(filepath.Dir(postgres), "lib"): filepath.Join(filepath.Dir(postgres), "lib"), "/usr/share/zoneinfo": "/usr/share/zoneinfo"},
			files: map[string]string{"/start": startsPostgreSQL}, owned: map[string]int{"/var/lib/postgresql/data": 999},
			changes: []string{"ENV PATH=" + postgres + ":/bin:/usr/bin", "ENV PGDATA=/var/lib/postgresql/data", "ENTRYPOINT [\"/start\"]"},
		}, {
			image: "redis:7.4", programs: append(shell, "redis-server", "redis-cli"), owned: map[string]int{"/data": 998},
			changes: []string{"ENV PATH=/bin:/usr/bin", "WORKDIR /data"},
		}, {
			image: "haproxy:3.2", programs: append(shell, "haproxy", "bash"), owned: map[string]int{"/var/lib/haproxy": 997},
			changes: []string{"ENV PATH=/bin:/usr/bin"},
		},
	}
}

var library = regexp.MustCompile(`(?m)(/\S+) \(0x`)

// archive returns the files of the image.
func (s standIn) archive(t *testing.T) *bytes.Buffer {
	t.Helper()
	var buffer bytes.Buffer
	out := &imageWriter{t: t, tar: tar.NewWriter(&buffer), seen: map[string]bool{}}
	out.directory("/tmp", 0, 0o1777)
	out.file("/etc/passwd", []byte(users), 0o644)
	out.file("/etc/nsswitch.conf", []byte("passwd: files\nhosts: files dns\n"), 0o644)
	for _, name := range s.programs {
		path := name
		if !filepath.IsAbs(name) {
			path = tool(t, name, "/usr/sbin")
		}
		out.copy(path, path)
		if !filepath.IsAbs(name) {
			out.copy(path, "/bin/"+name)
		}
		libraries, _ := exec.Command("ldd", path).Output() // a static program has none
		for _, found := range library.FindAllStringSubmatch(string(libraries), -1) {
			out.copy(found[1], found[1])
		}
	}
	for to, from := range s.trees {
		out.tree(from, to)
	}
	for path, content := range s.files {
		out.file(path, []byte(content), 0o755)
	}
	for path, owner := range s.owned {
		out.directory(path, owner, 0o755)
	}
	if err := out.tar.Close(); err != nil {
		t.Fatal(err)
	}
	return &buffer
}

// imageWriter writes each path once.
type imageWriter struct {
	t    *testing.T
	tar  *tar.Writer
	seen map[string]bool
}

func (w *imageWriter) write(header tar.Header, content []byte) {
	w.t.Helper()
	if w.seen[header.Name] {
		return
	}
	w.seen[header.Name] = true
	header.Name, header.Size = strings.TrimPrefix(header.Name, "/"), int64(len(content))
	err := w.tar.WriteHeader(&header)
	if err == nil {
		_, err = w.tar.Write(content)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", header.Name, err)
	}
}

func (w *imageWriter) directory(path string, owner int, mode int64) {
	w.write(tar.Header{Typeflag: tar.TypeDir, Name: path, Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (w *imageWriter) file(path string, content []byte, mode fs.FileMode) {
	w.write(tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: int64(mode.Perm())}, content)
}

// copy copies a file, or what a symbolic link leads to.
func (w *imageWriter) copy(from, to string) {
	w.t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		w.t.Fatal(err)
	}
	w.file(to, content, info.Mode())
}

func (w *imageWriter) tree(from, to string) {
	w.t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		info, err := os.Stat(path)
		switch {
		case err != nil, strings.HasSuffix(path, "/testdata"):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil // a link that leads nowhere
		case info.IsDir():
			w.directory(target, 0, 0o755)
		case info.Mode().IsRegular():
			w.copy(path, target)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
