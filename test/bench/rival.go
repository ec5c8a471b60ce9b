package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"
)

// rival is a proxy under measurement, or no proxy at all.
type rival struct {
	name    string
	address string
	headers map[string]string // that a request needs to get through
	process *process          // nil without a proxy, and for a program of somebody else's
	pid     int               // of such a program
	path    string            // of the request; default /v1/status
}

func (r rival) cpu() time.Duration {
	switch {
	case r.process != nil:
		return cpuOf(r.process.pid())
	case r.pid != 0:
		return cpuOf(r.pid)
	}
	return 0
}

func (r rival) stop() {
	if r.process != nil {
		r.process.stop()
	}
}

// stockCaddy is Caddy's own reverse_proxy, access logs off.
func stockCaddy(ctx context.Context, dir, backend string) (rival, error) {
	at := freeAddress()
	config := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\n\treverse_proxy %s\n}\n", at, backend)
	p, err := spawnWith(ctx, dir, "caddy", at, "Caddyfile", config, nil,
		tool("caddy"), "run", "--adapter", "caddyfile", "--config", "Caddyfile")
	return rival{name: "Caddy reverse_proxy, stock", address: at, process: p}, err
}

// nginx proxies with as many workers as there are processors.
func nginx(ctx context.Context, dir, backend string) (rival, error) {
	at := freeAddress()
	config := fmt.Sprintf(nginxHead, "auto") + fmt.Sprintf(`
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream backend { server %s; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen %s backlog=4096;
    location / {
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_pass http://backend;
    }
  }
}
`, backend, at)
	p, err := spawnNginx(ctx, dir, at, config)
	return rival{name: "nginx", address: at, process: p}, err
}

// bare is httputil.ReverseProxy without Caddy.
func bare(ctx context.Context, dir, backend string) (rival, error) {
	at := freeAddress()
	p, err := spawn(ctx, dir, at, nil, tool("bare"), at, "http://"+backend)
	return rival{name: "net/http + httputil, no Caddy", address: at, process: p}, err
}

// answer is what the small requests get, about 100 bytes of JSON.
const answer = `{"id":"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9","status":"ok","items":[1,2,3,4,5],"message":"hello there"}`

// smallBackend answers every request at once, with as little CPU as can be had.
func smallBackend(ctx context.Context, dir string) (rival, error) {
	at := freeAddress()
	config := fmt.Sprintf(nginxHead, "1") + fmt.Sprintf(`
  server {
    listen %s backlog=4096;
    location / { default_type application/json; return 200 '%s'; }
  }
}
`, at, answer)
	p, err := spawnNginx(ctx, dir, at, config)
	return rival{name: "no proxy", address: at, process: p}, err
}

const nginxHead = `worker_processes %s;
daemon off;
pid nginx.pid;
error_log error.log;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
`

func spawnNginx(ctx context.Context, dir, at, config string) (*process, error) {
	return spawnWith(ctx, dir, "nginx", at, "nginx.conf", config, nil, "nginx", "-p", ".", "-c", "nginx.conf", "-e", "error.log")
}

// spawnWith gives a program a folder of its own and a configuration file in it.
func spawnWith(ctx context.Context, dir, name, at, file, config string, env []string, argv ...string) (*process, error) {
	own, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(own, file), []byte(config), 0o600); err != nil {
		return nil, err
	}
	return spawn(ctx, own, at, env, argv...)
}

// tool is a binary that `make bench` built beside this one.
func tool(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// freeAddress is a loopback address that nobody listens on. It is none that the kernel
// gives to clients, which would take it before the program that is to listen there has
// started.
func freeAddress() string {
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
}
