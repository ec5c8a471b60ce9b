package guard

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal gives a real pseudo-terminal: what is written to user arrives at stdin.
func terminal(t *testing.T) (user, stdin *os.File) {
	user, stdin, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = user.Close(); _ = stdin.Close() })
	return user, stdin
}

func notATerminal(t *testing.T, text string) *os.File {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	_, err = w.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestNothingIsAskedWhenAKeyIsSet(t *testing.T) {
	keys := []config.NamedKey{{Name: "api_key", Key: secret.New("0123456789abcdef")}}
	require.NoError(t, Guard{Keys: keys}.Pass(t.Context()))
}

func TestAKnownKeyIsNoKey(t *testing.T) {
	good := config.NamedKey{Name: "api_key", Key: secret.New("0123456789abcdef")}
	for _, sample := range []string{config.ExampleKey, "your-secret-api-key", "ChangeMe"} {
		keys := []config.NamedKey{good, {Name: "api_keys[0]", Key: secret.New(sample)}}
		err := Guard{Keys: keys, Acknowledged: true}.Pass(t.Context())
		require.ErrorContains(t, err, "api_keys[0] is a sample")
		require.NotContains(t, err.Error(), sample)
	}
}

func TestWithoutTerminal(t *testing.T) {
	for _, passes := range []bool{true, false} {
		warned := ""
		err := Guard{Acknowledged: passes, Stdin: notATerminal(t, "YES\n"), Bind: "0.0.0.0:8080", Warn: func(m string) { warned = m }}.Pass(t.Context())
		if passes {
			require.NoError(t, err)
			require.Contains(t, warned, "OPENSANDBOX_INSECURE_SERVER")
			require.Contains(t, warned, "0.0.0.0:8080")
			require.NotContains(t, warned, "OPENSANDBOX_INSECURE_SERVER=YES", "copying the warning must not switch security off")
			continue
		}
		require.ErrorContains(t, err, "Startup blocked: server.api_key is empty in non-interactive mode. Set OPENSANDBOX_INSECURE_SERVER=YES to acknowledge the risk.")
		require.Empty(t, warned)
	}
	require.ErrorContains(t, Guard{}.Pass(t.Context()), "Startup blocked", "closed standard input")
}

func TestOnATerminal(t *testing.T) {
	cases := []struct {
		name, typed, fragment string
		acknowledged          bool
	}{
		{name: "confirmed", typed: "YES\n"},
		{name: "lower case", typed: "yes\n", fragment: "Startup aborted: missing explicit confirmation for empty server.api_key."},
		{name: "padded", typed: " YES\n", fragment: "Startup aborted"},
		{name: "trailing", typed: "YES \n", fragment: "Startup aborted"},
		{name: "empty line", typed: "\n", fragment: "Startup aborted"},
		{name: "end of input", typed: "\x04", fragment: "Startup aborted"},
		{name: "variable wins", typed: "", acknowledged: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			user, stdin := terminal(t)
			_, err := user.WriteString(c.typed)
			require.NoError(t, err)
			var prompt bytes.Buffer
			warned := ""
			err = Guard{Stdin: stdin, Prompt: &prompt, Acknowledged: c.acknowledged, Bind: "x:1", Warn: func(m string) { warned = m }}.Pass(t.Context())
			if c.fragment != "" {
				require.ErrorContains(t, err, c.fragment)
				require.ErrorContains(t, err, "server.api_key")
				return
			}
			require.NoError(t, err)
			require.NotEmpty(t, warned)
			if !c.acknowledged {
				require.True(t, strings.HasPrefix(prompt.String(), "\033[31m"))
				require.Contains(t, prompt.String(), "YES")
				require.Contains(t, prompt.String(), "30 seconds")
				require.Contains(t, prompt.String(), "\033[0m")
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	_, stdin := terminal(t)
	err := Guard{Stdin: stdin, Prompt: &bytes.Buffer{}, Wait: 50 * time.Millisecond}.Pass(t.Context())
	require.ErrorContains(t, err, "Startup aborted: confirmation timed out waiting for YES.")
}

func TestInterruptEndsThePrompt(t *testing.T) {
	_, stdin := terminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Guard{Stdin: stdin, Prompt: &bytes.Buffer{}}.Pass(ctx)
	require.ErrorContains(t, err, "Startup aborted: interrupted")
}
