package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// engine is a container engine without anything of ours in between: the floor that no
// server on top of it can go below.
type engine struct{ http *http.Client }

// errNoEngine says why a table was left out.
var errNoEngine = errors.New("no container engine answers on a Unix socket (DOCKER_HOST)")

func openEngine(ctx context.Context) (*engine, error) {
	socket := "/var/run/docker.sock"
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		var unix bool
		if socket, unix = strings.CutPrefix(host, "unix://"); !unix {
			return nil, errNoEngine
		}
	}
	e := &engine{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 32,
	}}}
	if err := e.call(ctx, http.MethodGet, "/version", nil, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	return e, nil
}

func (e *engine) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// run creates and starts a container of an image, as plainly as can be.
func (e *engine) run(ctx context.Context, image string, argv []string) (id string, err error) {
	var made struct{ ID string }
	in := map[string]any{"Image": image, "Entrypoint": argv, "HostConfig": map[string]string{"NetworkMode": "bridge"}}
	if err := e.call(ctx, http.MethodPost, "/containers/create", in, &made); err != nil {
		return "", err
	}
	if err := e.call(ctx, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil); err != nil {
		return "", errors.Join(err, e.remove(ctx, made.ID))
	}
	return made.ID, nil
}

func (e *engine) remove(ctx context.Context, id string) error {
	return e.call(context.WithoutCancel(ctx), http.MethodDelete, "/containers/"+id+"?force=1&v=1", nil, nil)
}
