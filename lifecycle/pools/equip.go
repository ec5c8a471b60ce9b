package pools

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const (
	// maxEquip bounds one call to a member's execd.
	maxEquip = 5 * time.Second
	// maxAnswer bounds what is read of an answer, head and body each.
	maxAnswer = 64 << 10
	// claimVar carries the lines for the env file, so that no value is part of a command.
	claimVar = "_CLAIM"
	// exitNoProgram is the shell's own code for a program that is not there.
	exitNoProgram = "127"
)

// newClient is for calls to execd. It trusts nothing about the other side: no proxies, no
// redirects, bounded answers, and no connection is kept.
func newClient() *http.Client {
	return &http.Client{
		Timeout: maxEquip,
		Transport: &http.Transport{
			Proxy:                  nil, // the environment's proxies are not for sandboxes
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// command is a request to run something in a sandbox (contract 06 §6.1).
type command struct {
	Command    string            `json:"command"`
	Background bool              `json:"background"`
	Envs       map[string]string `json:"envs,omitempty"`
}

// Equip implements lifecycle.Pools. Variables go into execd's env file, which it reads for
// every command (contract 06 §6.5); the entrypoint becomes a background command.
func (s *Set) Equip(ctx context.Context, e lifecycle.Equipment) error {
	if err := s.run(ctx, e, prepare(e)); err != nil {
		if errors.Is(err, errNoProgram) {
			return apierror.New(http.StatusBadRequest, "DOCKER::INVALID_ENTRYPOINT", "entrypoint: the pool's sandboxes have no program %q.", apierror.Clip(e.Entrypoint[0]))
		}
		return fmt.Errorf("set the claim's env: %w", err)
	}
	if len(e.Entrypoint) == 0 {
		return nil
	}
	if err := s.run(ctx, e, command{Command: line(e.Entrypoint), Background: true}); err != nil {
		return fmt.Errorf("start the claim's entrypoint: %w", err)
	}
	return nil
}

// prepare writes the env file, and makes sure that the entrypoint is there to be started.
func prepare(e lifecycle.Equipment) command {
	c := command{Command: "true", Envs: map[string]string{}}
	var lines strings.Builder
	for _, v := range e.Env {
		lines.WriteString(v.Name + "=" + v.Value + "\n")
		c.Envs[v.Name] = v.Value
	}
	if len(e.Env) > 0 {
		c.Envs[claimVar] = lines.String()
		// A file of the image may end within a line.
		c.Command = `printf '\n%s' "$` + claimVar + `" >> "$EXECD_ENVS"`
	}
	if len(e.Entrypoint) > 0 && !shellLine(e.Entrypoint) {
		c.Command += " && { command -v " + quoted(e.Entrypoint[0]) + " > /dev/null || exit " + exitNoProgram + "; }"
	}
	return c
}

// shellLine tells whether an entrypoint is one line of shell, as it is for a create from an
// image (contract 02 §5).
func shellLine(entrypoint []string) bool {
	return len(entrypoint) == 1 && strings.Contains(entrypoint[0], " ")
}

func line(entrypoint []string) string {
	if shellLine(entrypoint) {
		return entrypoint[0]
	}
	words := make([]string, len(entrypoint))
	for i, word := range entrypoint {
		words[i] = quoted(word)
	}
	return "exec " + strings.Join(words, " ")
}

// quoted is a word that a POSIX shell reads back as it is.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

var errNoProgram = errors.New("no such program")

// run has execd run a command, and waits for it unless it is a background one.
func (s *Set) run(ctx context.Context, e lifecycle.Equipment, c command) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.Execd.Address.String()+"/command", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if !e.Token.IsZero() {
		req.Header.Set(wire.HeaderExecdToken, e.Token.Reveal())
	}
	res, err := s.client.Do(req)
	if err != nil {
		return quote.Error(err) // it may hold the answer
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("execd answered %d", res.StatusCode)
	}
	return outcome(io.LimitReader(res.Body, maxAnswer))
}

// outcome reads the event stream of a command to its last event (contract 06 §4).
func outcome(events io.Reader) error {
	scanner := bufio.NewScanner(events)
	scanner.Buffer(nil, maxAnswer)
	for scanner.Scan() {
		var e struct {
			Type  string
			Error struct{ EName, EValue string }
		}
		if len(scanner.Bytes()) == 0 || json.Unmarshal(scanner.Bytes(), &e) != nil {
			continue
		}
		switch {
		case e.Type == "execution_complete":
			return nil
		case e.Type == "error" && e.Error.EValue == exitNoProgram:
			return errNoProgram
		case e.Type == "error":
			return fmt.Errorf("execd reports %s: %s", quote.Text(e.Error.EName), quote.Text(e.Error.EValue))
		}
	}
	return fmt.Errorf("execd's answer broke off: %w", errors.Join(quote.Error(scanner.Err()), io.ErrUnexpectedEOF))
}
