package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEchoOfASignal(t *testing.T) {
	at := time.Now()
	for _, c := range []struct {
		second syscall.Signal
		after  time.Duration
		counts bool
	}{
		{syscall.SIGTERM, 0, false},
		{syscall.SIGTERM, echoWindow - time.Millisecond, false},
		{syscall.SIGTERM, echoWindow, true},
		{syscall.SIGINT, 0, true},
	} {
		var s signals
		require.True(t, s.counts(syscall.SIGTERM, at))
		require.Equal(t, c.counts, s.counts(c.second, at.Add(c.after)), "%s after %s", c.second, c.after)
	}
}

func TestCauseOfCaddysError(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain",
		"loading new config: loading http app module: provision http: server opensandbox: setting up route handlers: route 0: loading handler modules: position 0: loading module 'opensandbox_auth': provision http.handlers.opensandbox_auth: loading opensandbox app module: provision opensandbox: these keys cannot change; restart it: log.format": "these keys cannot change; restart it: log.format",
		"loading new config: http app module: start: listening on 192.0.2.1:9: bind: cannot assign": "listening on 192.0.2.1:9: bind: cannot assign",
		"Invalid configuration in x: server y":                                                      "Invalid configuration in x: server y",
	} {
		require.Equal(t, want, innermost(text))
	}
}
