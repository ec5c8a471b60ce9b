package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/internal/porttest"
)

// TestMain lets the test binary be the program: with beProgram set it runs main,
// so the tests drive real processes that carry the race detector.
const beProgram = "_EXECD_TEST_MAIN"

const patience = time.Minute

// dialOnce as first argument makes it an entrypoint that connects to the daemon, once.
const dialOnce = "dial-once"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == dialOnce {
		conn, err := net.Dial("tcp4", "127.0.0.1:"+os.Getenv("EXECD_PORT"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_ = conn.Close()
		fmt.Println("connected")
		os.Exit(0)
	}
	if os.Getenv(beProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is one running copy of this binary.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *lockedBuffer
	port string
	done chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// launch starts the binary as argv, on a port of its own.
func launch(t *testing.T, argv []string, env ...string) *program {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &program{t: t, out: &lockedBuffer{}, port: strconv.Itoa(int(porttest.Reserve(t).Port())), done: make(chan struct{})}
	p.cmd = exec.Command(self)
	p.cmd.Args = argv
	p.cmd.Env = append(os.Environ(), append([]string{
		beProgram + "=1", "GORACE=atexit_sleep_ms=0", "EXECD_PORT=" + p.port, "EXECD=" + self, "EXECD_ENVS=" + filepath.Join(t.TempDir(), ".env"),
	}, env...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		require.NotContains(t, p.out.String(), "DATA RACE")
	})
	return p
}

// code waits for the end.
func (p *program) code() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("still running:\n%s", p.out)
		return 0
	}
}

func (p *program) says(text string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.out.String(), text) }, patience, 5*time.Millisecond, "waiting for %q", text)
}

// open returns nil when nothing answers.
func (p *program) open(method, path, body string, headers ...string) *http.Response {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+p.port+path, strings.NewReader(body))
	require.NoError(p.t, err)
	req.Close = true
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	return res
}

func (p *program) request(method, path, body string, headers ...string) (int, string) {
	res := p.open(method, path, body, headers...)
	if res == nil {
		return 0, ""
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(data)
}

func (p *program) up() bool {
	status, _ := p.request("GET", "/ping", "")
	return status == 200
}

func (p *program) awaitUp() {
	p.t.Helper()
	require.Eventually(p.t, p.up, patience, 10*time.Millisecond, "%s", p.out)
}

func TestDaemonServesAndStops(t *testing.T) {
	const token = "a-token-nobody-guesses"
	for name, variable := range map[string]string{
		"hash":  fmt.Sprintf("EXECD_ACCESS_TOKEN_SHA256=%x", sha256.Sum256([]byte(token))),
		"clear": "EXECD_ACCESS_TOKEN=" + token,
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, []string{"execd"}, variable, "OPENSANDBOX_ID=the-id")
			p.awaitUp()
			status, _ := p.request("POST", "/command", `{"command":"true"}`)
			require.Equal(t, 401, status)
			_, body := p.request("POST", "/command", `{"command":"env"}`, "X-EXECD-ACCESS-TOKEN", token)
			require.Contains(t, body, "OPENSANDBOX_ID=the-id")
			require.NotContains(t, body, "EXECD_ACCESS_TOKEN")
			require.NotContains(t, body, "READY_FD")
			require.NotContains(t, body, token)

			// A command running when TERM comes ends with its stream.
			res := p.open("POST", "/command", `{"command":"echo begun; sleep 300"}`, "X-EXECD-ACCESS-TOKEN", token)
			defer res.Body.Close()
			in := bufio.NewReader(res.Body)
			for line := ""; !strings.Contains(line, `"begun"`); {
				var err error
				line, err = in.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, p.cmd.Process.Signal(unix.SIGTERM))
			rest, err := io.ReadAll(in)
			require.NoError(t, err)
			require.Contains(t, string(rest), "signal: terminated")
			require.Equal(t, 0, p.code())
			require.NotContains(t, p.out.String(), token)
		})
	}
}

func TestDaemonRefusesBadSettings(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  string
		code int
	}{
		"hash":     {nil, "EXECD_ACCESS_TOKEN_SHA256=nonsense", 1},
		"port":     {[]string{"--port", "70000"}, "A=b", 2},
		"port var": {nil, "EXECD_PORT=x", 2},
		"own port": {nil, "OPENSANDBOX_EXECD_PORT=x", 2},
		"own host": {nil, "OPENSANDBOX_EXECD_HOST=::1", 2},
		"grace":    {nil, "EXECD_API_GRACE_SHUTDOWN=soon", 2},
		"flag":     {[]string{"--no-such-flag"}, "A=b", 2},
		"log file": {nil, "EXECD_LOG_FILE=/dev/null/log", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, append([]string{"execd"}, c.args...), c.env)
			require.Equal(t, c.code, p.code(), p.out)
			require.NotContains(t, p.out.String(), "listening")
		})
	}
}

// In a network that sandboxes share, the server says where each daemon listens.
func TestServerNamesPortAndHost(t *testing.T) {
	port := strconv.Itoa(int(porttest.Reserve(t).Port()))
	p := launch(t, []string{"execd"}, "OPENSANDBOX_EXECD_PORT="+port, "OPENSANDBOX_EXECD_HOST=127.0.0.1")
	p.says("127.0.0.1:" + port)
	p.port = port
	p.awaitUp()
}

func TestDaemonLogsToAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	p := launch(t, []string{"execd"}, "EXECD_LOG_FILE="+file)
	p.awaitUp()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(data), `"level":"info","msg":"listening"`)
	require.Empty(t, p.out.String())
}

func TestVersion(t *testing.T) {
	p := launch(t, []string{"execd", "version"})
	require.Equal(t, 0, p.code())
	require.Contains(t, p.out.String(), "opensandbox-execd ")
}
