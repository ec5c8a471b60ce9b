package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// run follows the server until Close, whatever happens to it.
func (c *Client) run() {
	pauses := backoff.Backoff{First: 100 * time.Millisecond, Most: 2 * time.Second, Spread: true}
	failing := false
	for c.ctx.Err() == nil {
		began, err := c.connect()
		if began {
			pauses.Reset()
			failing = false
		}
		if c.ctx.Err() != nil {
			return
		}
		if !failing { // once, not with every attempt
			failing = true
			c.log.Warn("the feed of the lifecycle server is down; sandboxes known so far are served", "url", c.base, "cause", quote.Error(err))
		}
		_ = pauses.Wait(c.ctx)
	}
}

// errSilent is the cause when a stream stopped without ending.
var errSilent = errors.New("the lifecycle server has said nothing for too long")

// connect follows one stream to its end. began tells that there was one.
func (c *Client) connect() (began bool, err error) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.o.silence, func() { cancel(errSilent) })
	defer silence.Stop()
	res, err := c.get(ctx, Path)
	if err != nil {
		c.metrics.connects.WithLabelValues("failed").Inc()
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := isStream(res); err != nil {
		c.metrics.connects.WithLabelValues("refused").Inc()
		return false, err
	}
	c.metrics.connects.WithLabelValues("ok").Inc()
	sync := &resync{client: c}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	for lines.Scan() {
		silence.Reset(c.o.silence)
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return began, fmt.Errorf("the feed has a line that is no JSON: %w", err)
		}
		if err := sync.take(&l); err != nil {
			return began, err
		}
		began = true
	}
	if cause := context.Cause(ctx); cause != nil {
		return began, cause
	}
	if err := lines.Err(); err != nil {
		return began, err
	}
	return began, errors.New("the stream ended")
}

func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, path)
}

func (c *Client) send(ctx context.Context, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set(wire.HeaderAPIKey, c.o.Key.Reveal())
	return c.http.Do(r)
}

// isStream explains answers that are none, because they are mistakes of configuration.
func isStream(res *http.Response) error {
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return errors.New("the lifecycle server refuses control.api_key: use one of its own keys")
	case http.StatusNotFound:
		return errors.New("control.url is no lifecycle server with a feed: is it a gateway, or an earlier release?")
	case http.StatusMisdirectedRequest:
		return errors.New("the lifecycle server does not answer to the host of control.url: add it to its server.public_hosts")
	default:
		return fmt.Errorf("the lifecycle server answered %d", res.StatusCode)
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != contentType {
		return errors.New("control.url answers with something else than the feed")
	}
	return nil
}
