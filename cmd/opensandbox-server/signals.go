package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echoWindow is how long after a signal to stop the same one is taken for its echo: some
// supervisors deliver to the process and to its group, and that must not cut the
// graceful stop short.
var echoWindow = 500 * time.Millisecond

// signals are what the process is told from outside.
type signals struct {
	arrived chan os.Signal

	first os.Signal // the first signal to stop
	at    time.Time
}

func listenToSignals() *signals {
	s := &signals{arrived: make(chan os.Signal, 8)}
	signal.Notify(s.arrived, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return s
}

func (s *signals) end() { signal.Stop(s.arrived) }

// counts tells whether a signal to stop is another one, and not an echo of the first.
func (s *signals) counts(got os.Signal, now time.Time) bool {
	if s.first == nil {
		s.first, s.at = got, now
		return true
	}
	return got != s.first || now.Sub(s.at) >= echoWindow
}

// exitAtOnce is for the second signal: whoever sends it does not want to wait.
func exitAtOnce(s os.Signal) {
	code := 1
	if number, ok := s.(syscall.Signal); ok {
		code = 128 + int(number)
	}
	os.Exit(code)
}
