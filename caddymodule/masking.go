package caddymodule

import (
	"sync"

	"github.com/opensandbox-edge/edge/logging"
)

// redactor is shared by all encoders of the process: every logger of every
// configuration masks the secrets of all configurations that are loaded. While one
// follows another, keys of both are being sent.
var redactor = new(logging.Redactor)

var masked struct {
	sync.Mutex
	by map[*settings]struct{}
}

// maskSecrets has the secrets of s masked in all logs.
func maskSecrets(s *settings) {
	masked.Lock()
	defer masked.Unlock()
	if masked.by == nil {
		masked.by = map[*settings]struct{}{}
	}
	masked.by[s] = struct{}{}
	setMasked()
}

// unmaskSecrets takes s out; an s that was never put in, or nil, is nothing. The last
// one stays: its requests may still be logging.
func unmaskSecrets(s *settings) {
	masked.Lock()
	defer masked.Unlock()
	if len(masked.by) > 1 {
		delete(masked.by, s)
		setMasked()
	}
}

func setMasked() {
	var all []string
	for s := range masked.by {
		all = append(all, s.secrets()...)
	}
	redactor.SetSecrets(all)
}
