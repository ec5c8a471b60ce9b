package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/opensandbox-edge/edge/config"
)

// Patience is how long the prompt waits for an answer.
const Patience = 30 * time.Second

// answer is what has to be typed: exactly this, in upper case.
const answer = "YES"

// Guard is the question whether a server may start with the keys it has, or with none.
type Guard struct {
	Keys         []config.NamedKey
	Bind         string        // where the server is about to listen, for the warning
	Acknowledged bool          // by the config.EnvInsecure: config.InsecureAcknowledged
	Stdin        *os.File      // asked when it is a terminal
	Prompt       io.Writer     // the terminal's other side
	Wait         time.Duration // 0 = Patience
	Warn         func(message string)
}

// advice ends every refusal.
const advice = " Set server.api_key (opensandbox-server init-config PATH --generate-key writes a file with a random one) or OPENSANDBOX_SERVER_API_KEY."

// Refusal is why the server does not start. Clients and tests match fragments of its texts.
type Refusal string

// Error is the text for people.
func (r Refusal) Error() string { return string(r) }

const (
	errBlocked     = Refusal("Startup blocked: server.api_key is empty in non-interactive mode. Set " + config.EnvInsecure + "=YES to acknowledge the risk." + advice)
	errNotConfirm  = Refusal("Startup aborted: missing explicit confirmation for empty server.api_key." + advice)
	errTimedOut    = Refusal("Startup aborted: confirmation timed out waiting for YES." + advice)
	errInterrupted = Refusal("Startup aborted: interrupted before server.api_key was confirmed to stay empty." + advice)
)

// Pass returns nil when the server may start. It reads the terminal at most until
// the answer or ctx ends, and leaves nothing running.
func (g Guard) Pass(ctx context.Context) error {
	for _, k := range g.Keys {
		if config.IsSampleKey(k.Key) {
			return Refusal("Startup blocked: the API key " + k.Name + " is a sample of an example or documentation page, which everybody knows." + advice)
		}
	}
	if len(g.Keys) > 0 {
		return nil
	}
	switch {
	case g.Acknowledged:
		g.warn("acknowledged by " + config.EnvInsecure)
		return nil
	case g.Stdin == nil || !term.IsTerminal(int(g.Stdin.Fd())):
		return errBlocked
	}
	wait := g.Wait
	if wait == 0 {
		wait = Patience
	}
	fmt.Fprintf(g.Prompt, "\033[31mserver.api_key is empty: authentication is DISABLED, and whoever reaches %s can run code on this machine.\n"+
		"Type YES within %d seconds to start anyway:\033[0m ", g.Bind, int(wait.Seconds()))
	line, err := readLine(ctx, g.Stdin, wait)
	fmt.Fprintln(g.Prompt)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimedOut
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil || line != answer:
		return errNotConfirm
	}
	g.warn("confirmed on the terminal")
	return nil
}

func (g Guard) warn(how string) {
	if g.Warn != nil {
		g.Warn("API authentication is disabled (" + how + "); everyone who reaches " + g.Bind + " controls all sandboxes")
	}
}
