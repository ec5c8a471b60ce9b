package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Bounds of the event stream.
const (
	maxEventBytes  = 16 << 20 // an event repeats all labels of its container
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = 5 * time.Second
	connectWithin  = 10 * time.Second
)

// Watch implements lifecycle.Runtime. It emits Connected each time the engine has
// accepted the stream and Disconnected each time it breaks, and returns only when ctx
// ends. emit is called from one goroutine at a time.
func (r *Runtime) Watch(ctx context.Context, emit func(lifecycle.Event)) error {
	pauses := backoff.Backoff{First: reconnectFirst, Most: reconnectMost, Spread: true}
	for {
		connected := false
		err := r.stream(ctx, func() {
			connected = true
			emit(lifecycle.Event{Type: lifecycle.EventConnected, At: time.Now()})
		}, emit)
		if connected {
			pauses.Reset()
			emit(lifecycle.Event{Type: lifecycle.EventDisconnected, At: time.Now()})
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.log.Warn("the engine's event stream is down; reconnecting", "error", err)
		if err := pauses.Wait(ctx); err != nil {
			return err
		}
	}
}

// eventFilter asks for what a sandbox or the execd volume can do. Labels are not part of
// it: a label filter would hide volume events.
var eventFilter = func() string {
	filter, _ := json.Marshal(map[string][]string{
		"type":  {"container", "volume", "network"},
		"event": {"start", "pause", "unpause", "die", "destroy", "connect", "disconnect"},
	})
	return string(filter)
}()

// engineEvent is the part of an event that is read.
type engineEvent struct {
	Type   string
	Action string
	Actor  struct {
		ID         string
		Attributes map[string]string
	}
	TimeNano int64 `json:"timeNano"`
}

// stream reads one event stream to its end.
func (r *Runtime) stream(ctx context.Context, connected func(), emit func(lifecycle.Event)) error {
	// The request's context has no deadline, so a timer guards the time until the engine
	// answers: an engine that accepts and stays silent would hang here for ever.
	streamCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	guard := time.AfterFunc(connectWithin, func() { cancel(errors.New("the engine accepted the connection and did not answer")) })
	defer guard.Stop()

	request, err := r.engine.request(streamCtx, "events", url.Values{"filters": {eventFilter}})
	if err != nil {
		return err
	}
	answer, err := r.engine.HTTPClient().Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if !guard.Stop() {
		return context.Cause(streamCtx)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine answered the event stream with status %d", answer.StatusCode)
	}
	connected()

	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(make([]byte, 0, 4096), maxEventBytes)
	for lines.Scan() {
		var event engineEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return fmt.Errorf("unreadable event: %w", err)
		}
		if out, ok := r.translate(event); ok {
			emit(out)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

// translate turns an engine event into ours; ok is false for what concerns no sandbox of
// this server.
func (r *Runtime) translate(e engineEvent) (out lifecycle.Event, ok bool) {
	if e.Type == "volume" {
		if files := r.execd.ready.Load(); e.Action == "destroy" && files != nil && files.volume != "" && files.volume == e.Actor.ID {
			r.log.Warn("somebody removed the execd volume; it will be filled again", "volume", e.Actor.ID)
			r.execd.invalidate()
		}
		return out, false
	}
	if e.Type == "network" {
		return attachment(e)
	}
	types := map[string]lifecycle.EventType{
		"start": lifecycle.EventStarted, "pause": lifecycle.EventPaused, "unpause": lifecycle.EventResumed,
		"die": lifecycle.EventStopped, "destroy": lifecycle.EventRemoved,
	}
	kind, known := types[e.Action]
	id := e.Actor.Attributes[LabelID]
	// The name is not looked at, it may have been changed. An event is only a hint: what it
	// says of a sandbox is looked up under the rules of Inspect.
	if _, ok := containerName(id); !ok || !known || e.Type != "container" || !r.claims(e.Actor.Attributes) {
		return out, false
	}
	return lifecycle.Event{Type: kind, ID: id, BackendID: e.Actor.ID, At: time.Unix(0, e.TimeNano).UTC()}, true
}

// attachment translates the event of a network, which names the container by its engine
// id and has none of its labels.
func attachment(e engineEvent) (lifecycle.Event, bool) {
	types := map[string]lifecycle.EventType{"connect": lifecycle.EventAttached, "disconnect": lifecycle.EventDetached}
	kind, known := types[e.Action]
	containerID := e.Actor.Attributes["container"]
	if !known || !digestGrammar.MatchString(containerID) {
		return lifecycle.Event{}, false
	}
	return lifecycle.Event{Type: kind, BackendID: containerID, At: time.Unix(0, e.TimeNano).UTC()}, true
}
