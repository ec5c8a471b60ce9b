// Command demo shows the product end to end on real containers: one server, one
// sandbox, every route form, a lease that traffic renews, a restart that loses
// nothing. It prints a timing line per step, takes everything away again, and
// fails loudly when any step does not do what it says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/opensandbox-edge/edge/test/edge"
)

func main() {
	var o edge.Options
	flag.StringVar(&o.Binary, "server", "bin/opensandbox-server", "the server binary")
	flag.StringVar(&o.ExecdImg, "execd-image", "", "image with execd and bootstrap.sh")
	flag.StringVar(&o.DemoImage, "demo-image", "", "image of the sandbox")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "demo: FAILED:", err)
		os.Exit(1)
	}
}

// demo carries what the steps share.
type demo struct {
	server  *edge.Server
	sandbox edge.Sandbox
	token   string // opens execd
}

func run(ctx context.Context, o edge.Options) (err error) {
	dir, err := os.MkdirTemp("", "opensandbox-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.Dir = dir
	server, err := edge.New(o)
	if err != nil {
		return err
	}
	d := &demo{server: server}
	defer func() {
		// The context may be over (Ctrl-C); cleaning up must happen all the same.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, server.Stop(), server.RemoveContainers(clean))
		if err != nil {
			fmt.Fprintf(os.Stderr, "--- server log ---\n%s", server.Log())
		}
	}()

	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for _, s := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"start the server", d.start},
		{"create a sandbox", d.create},
		{"direct route: command and file", d.through(edge.Direct)},
		{"wildcard route: command and file", d.through(edge.Wildcard)},
		{"uri route: command and file", d.through(edge.URI)},
		{"header route: command and file", d.through(edge.Header)},
		{"wildcard route: web page and WebSocket", d.webSocket(edge.Wildcard)},
		{"header route: web page and WebSocket", d.webSocket(edge.Header)},
		{"traffic moves the expiry", d.renewed},
		{"restart the server, find the sandbox", d.restart},
		{"delete the sandbox", d.delete},
	} {
		began := time.Now()
		said, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Printf("%9.1f ms  %-40s %s\n", float64(time.Since(began).Microseconds())/1000, s.what, said)
	}
	return nil
}

func (d *demo) start(ctx context.Context) (string, error) {
	return "http://" + d.server.Addr, d.server.Start(ctx)
}

func (d *demo) create(ctx context.Context) (string, error) {
	r := edge.CreateRequest{
		// The demo image's own web page is the sandbox's main process.
		Entrypoint:     []string{"/usr/bin/demo-web"},
		Timeout:        60,
		ResourceLimits: map[string]string{"cpu": "500m", "memory": "128Mi"},
		Metadata:       map[string]string{"purpose": "demo"},
		Extensions:     map[string]string{"access.renew.extend.seconds": "600"},
	}
	r.Image.URI = d.server.DemoImage
	var err error
	if d.sandbox, err = d.server.Create(ctx, r); err != nil {
		return "", err
	}
	if d.sandbox.Status.State != "Running" {
		return "", fmt.Errorf("state is %s, not Running", d.sandbox.Status.State)
	}
	endpoint, err := d.server.Endpoint(ctx, d.sandbox.ID, 44772, "")
	if err != nil {
		return "", err
	}
	d.token = endpoint.Headers["X-EXECD-ACCESS-TOKEN"]
	return d.sandbox.ID + " is Running", nil
}

func (d *demo) through(form edge.Form) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		route := d.server.Route(form, d.sandbox.ID, 44772, d.token)
		defer route.Close()
		out, err := route.Command(ctx, "echo hello from $(hostname)")
		if err != nil {
			return "", err
		}
		path, content := "/tmp/"+string(form)+".txt", strings.Repeat("bytes through the "+string(form)+" route\n", 1000)
		if err := route.Upload(ctx, path, strings.NewReader(content)); err != nil {
			return "", err
		}
		back, err := route.Download(ctx, path)
		if err != nil {
			return "", err
		}
		if back != content {
			return "", fmt.Errorf("%d bytes went in, %d other ones came back", len(content), len(back))
		}
		return fmt.Sprintf("%q, %d bytes there and back", strings.TrimSpace(out), len(back)), nil
	}
}

func (d *demo) webSocket(form edge.Form) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		route := d.server.Route(form, d.sandbox.ID, 8080, "")
		defer route.Close()
		var page string
		// Running means that execd answers; the sandbox's own program may need a moment more.
		err := edge.Until(ctx, func() error {
			status, body, err := route.Read(ctx, "GET", "/", nil, "")
			if page = body; err == nil && (status != 200 || !strings.Contains(page, "<html")) {
				err = fmt.Errorf("the page answered %d %q", status, page)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		conn, err := route.WebSocket(ctx, "/ws")
		if err != nil {
			return "", err
		}
		defer conn.CloseNow()
		if err := conn.Write(ctx, websocket.MessageText, []byte("ping over "+form)); err != nil {
			return "", err
		}
		_, echo, err := conn.Read(ctx)
		if err != nil {
			return "", err
		}
		if !strings.Contains(string(echo), "ping over "+string(form)) {
			return "", fmt.Errorf("the echo is %q", echo)
		}
		return fmt.Sprintf("%d bytes of page, echo %q", len(page), echo), conn.Close(websocket.StatusNormalClosure, "")
	}
}

func (d *demo) renewed(ctx context.Context) (string, error) {
	first := *d.sandbox.ExpiresAt
	var now edge.Sandbox
	err := edge.Until(ctx, func() (err error) {
		if now, err = d.server.Get(ctx, d.sandbox.ID); err != nil {
			return edge.Final(err)
		}
		if !now.ExpiresAt.After(first.Add(time.Minute)) {
			return fmt.Errorf("expiry is still %s", now.ExpiresAt.Format(time.TimeOnly))
		}
		return nil
	})
	d.sandbox.ExpiresAt = now.ExpiresAt
	return fmt.Sprintf("from %s to %s", first.Format(time.TimeOnly), now.ExpiresAt.Format(time.TimeOnly)), err
}

func (d *demo) restart(ctx context.Context) (string, error) {
	if err := d.server.Stop(); err != nil {
		return "", err
	}
	if err := d.server.Start(ctx); err != nil {
		return "", err
	}
	found, err := d.server.Get(ctx, d.sandbox.ID)
	if err != nil {
		return "", err
	}
	if found.ExpiresAt.Before(*d.sandbox.ExpiresAt) {
		return "", fmt.Errorf("expiry fell from %s to %s over the restart", d.sandbox.ExpiresAt, found.ExpiresAt)
	}
	route := d.server.Route(edge.Wildcard, d.sandbox.ID, 44772, d.token)
	defer route.Close()
	if _, err := route.Command(ctx, "cat /tmp/uri.txt >/dev/null"); err != nil {
		return "", err
	}
	return "still Running, renewed expiry kept, files still there", nil
}

func (d *demo) delete(ctx context.Context) (string, error) {
	if err := d.server.Delete(ctx, d.sandbox.ID); err != nil {
		return "", err
	}
	var gone *edge.APIError
	if _, err := d.server.Get(ctx, d.sandbox.ID); !errors.As(err, &gone) || gone.Status != 404 {
		return "", fmt.Errorf("a deleted sandbox answered %w", err)
	}
	left, err := d.server.Containers(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("containers left behind: %v", left)
	}
	return "gone, no container left", err
}
