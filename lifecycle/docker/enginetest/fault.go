package enginetest

import (
	"context"
	"net/http"
)

// Action is what happens to a request instead of a plain round trip.
type Action int

const (
	// Pass lets the request through; useful with Before and After.
	Pass Action = iota
	// Drop closes the connection; the engine never sees the request.
	Drop
	// DropAnswer lets the engine act and closes the connection before its answer.
	DropAnswer
	// Answer replies with Status and Body; the engine never sees the request.
	Answer
	// Hold keeps the request back until the proxy is released or the client gives up,
	// and then lets it through.
	Hold
)

// Fault breaks requests. Hooks run in the request's goroutine.
type Fault struct {
	Match Match
	// Nth is which matching request it applies to, from 1; 0 = all of them.
	Nth int
	Do  Action
	// Before runs before the engine is asked, After when the engine has answered and
	// before the client hears of it. A test kills its server there.
	Before, After func(Request)
	// Status and Body are the reply of Answer.
	Status int
	Body   string
}

// active is a Fault with its count.
type active struct {
	Fault
	seen    int
	release chan struct{}
}

// hit counts a request and says whether the fault applies to it.
func (a *active) hit(r Request) bool {
	if !a.Match(r) {
		return false
	}
	a.seen++
	return a.Nth == 0 || a.Nth == a.seen
}

// wait holds a request back.
func (a *active) wait(ctx context.Context) {
	select {
	case <-a.release:
	case <-ctx.Done():
	}
}

// answer writes the canned reply.
func (a *active) answer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write([]byte(a.Body))
}
