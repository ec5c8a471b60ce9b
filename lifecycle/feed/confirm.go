package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// maxConfirm bounds one question to the server.
const maxConfirm = 5 * time.Second

// Confirm says whether e may be dialled. While the feed is healthy that is a comparison in
// memory. When nothing was heard for longer than staleAfter, the server is asked, once for
// all callers that ask for the same sandbox at the same time (threat row K9).
//
// The errors are lifecycle.ErrStale, ctx's, and an *apierror.Error with status 503 when
// the server does not answer.
func (c *Client) Confirm(ctx context.Context, e *lifecycle.Entry) error {
	if !c.current(e) {
		return lifecycle.ErrStale
	}
	if err := lifecycle.ConfirmDaemon(ctx, c.prober, e, strings.ToUpper(c.RuntimeName())+"::SANDBOX_NOT_READY"); err != nil {
		return err
	}
	if c.age() <= c.o.staleAfter {
		return nil
	}
	answer := c.confirms.DoChan(e.ID, func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, maxConfirm)
		defer cancel()
		return c.ask(ctx, e.ID)
	})
	select {
	case r := <-answer:
		if r.Err != nil {
			c.metrics.confirms.WithLabelValues("failed").Inc()
			return c.silent().Because(r.Err)
		}
		now, _ := r.Val.(*entry)
		return c.believe(e, now)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) silent() *apierror.Error {
	return apierror.New(http.StatusServiceUnavailable, strings.ToUpper(c.RuntimeName())+"::SANDBOX_QUERY_FAILED",
		"The lifecycle server does not answer, so the sandbox's address cannot be confirmed.").Retry(1)
}

// current tells whether e is what the directory says now.
func (c *Client) current(e *lifecycle.Entry) bool {
	now, ok := c.directory.Lookup(e.ID)
	return ok && now.Generation == e.Generation && e.Ended() == nil
}

// believe compares e with what the server just said; nil stands for "there is no such sandbox".
func (c *Client) believe(e *lifecycle.Entry, now *entry) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.current(e) {
		return lifecycle.ErrStale // the feed was quicker
	}
	if now == nil || now.ID != e.ID {
		c.metrics.confirms.WithLabelValues("gone").Inc()
		c.directory.Remove(e.ID, lifecycle.ErrGone)
		return lifecycle.ErrStale
	}
	if err := c.put(now); err != nil {
		return err
	}
	if !c.current(e) {
		c.metrics.confirms.WithLabelValues("changed").Inc()
		return lifecycle.ErrStale
	}
	c.metrics.confirms.WithLabelValues("same").Inc()
	return nil
}

// ask gets one sandbox's entry; nil without an error = there is none.
func (c *Client) ask(ctx context.Context, id string) (*entry, error) {
	res, err := c.get(ctx, Path+"/"+id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxLine))
	if err != nil {
		return nil, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		now := new(entry)
		return now, json.Unmarshal(text, now)
	case http.StatusNotFound:
		if strings.HasSuffix(codeOf(text), "::SANDBOX_NOT_FOUND") {
			return nil, nil //nolint:nilnil // the answer: there is none
		}
	}
	return nil, fmt.Errorf("the lifecycle server answered %d", res.StatusCode)
}

func codeOf(text []byte) string {
	var answer struct{ Code string }
	_ = json.Unmarshal(text, &answer) // else it has none
	return answer.Code
}

// Resume asks the server to resume a paused sandbox. Its refusals are *apierror.Error
// with the server's status.
func (c *Client) Resume(ctx context.Context, id string) error {
	res, err := c.send(ctx, http.MethodPost, "/v1/sandboxes/"+id+"/resume")
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxLine))
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case err != nil:
		return err
	case res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusNotFound && codeOf(text) != "GENERAL::NOT_FOUND":
		return apierror.New(res.StatusCode, apierror.Unknown, "There is nothing to resume.")
	}
	return errors.New("the lifecycle server answered " + res.Status)
}
