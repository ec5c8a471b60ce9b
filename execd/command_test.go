package execd

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/execd/stream"
)

func request(fields map[string]any) string {
	b, _ := json.Marshal(fields)
	return string(b)
}

func kinds(all []stream.Event) (out []stream.Type) {
	for _, e := range all {
		out = append(out, e.Type)
	}
	return out
}

// quick requires that nothing in f waits for a second. A busy machine may be as slow by
// itself now and then, but not every time.
func quick(t *testing.T, f func(), text string) {
	t.Helper()
	least := time.Duration(math.MaxInt64)
	for range 10 {
		began := time.Now()
		f()
		if least = min(least, time.Since(began)); least < 900*time.Millisecond {
			return
		}
	}
	require.Fail(t, "it takes "+least.String(), text)
}

func TestForegroundCommand(t *testing.T) {
	d := serve(t, nil)
	var a answer
	quick(t, func() { a = d.do("POST", "/command", `{"command":"echo hello","unknown":1} trailing`) }, "nothing waits after the terminal event")
	require.Equal(t, 200, a.status)
	require.Equal(t, "text/event-stream", a.header.Get("Content-Type"))
	require.Equal(t, "no-cache", a.header.Get("Cache-Control"))
	all := events(t, a.body)
	require.Equal(t, []stream.Type{stream.Init, stream.Ping, stream.Stdout, stream.Complete}, kinds(all))
	require.Regexp(t, `^[0-9a-f]{32}$`, all[0].Text)
	require.Equal(t, "hello", all[2].Text)

	var status map[string]any
	d.do("GET", "/command/status/"+all[0].Text, "").into(t, &status)
	require.Equal(t, "echo hello", status["content"])
	require.Equal(t, false, status["running"])
	require.EqualValues(t, 0, status["exit_code"])
	require.NotContains(t, status, "error")
	logs := d.do("GET", "/command/"+all[0].Text+"/logs", "")
	require.Equal(t, "hello\n", logs.body, "foreground output can be read again")
}

func TestFailingCommand(t *testing.T) {
	d := serve(t, nil)
	all := events(t, d.do("POST", "/command", `{"command":"no-such-program-x"}`).body)
	last := all[len(all)-1]
	require.Equal(t, stream.Failure, last.Type)
	require.Equal(t, &stream.Error{EName: "CommandExecError", EValue: "127", Traceback: []string{"exit status 127"}}, last.Error)
	require.NotContains(t, kinds(all), stream.Complete)
	require.Contains(t, all[2].Text, "no-such-program-x")

	all = events(t, d.do("POST", "/command", `{"command":"sleep 300","timeout":50}`).body)
	last = all[len(all)-1]
	require.Equal(t, &stream.Error{EName: "CommandExecError", EValue: "-1", Traceback: []string{"signal: killed"}, TimedOut: true, Signal: "SIGKILL"}, last.Error)
}

func TestCommandThatCannotStart(t *testing.T) {
	d := serve(t, func(o *Options) { o.Process["PATH"] = t.TempDir() })
	all := events(t, d.do("POST", "/command", `{"command":"true"}`).body)
	require.Equal(t, []stream.Type{stream.Init, stream.Ping, stream.Failure}, kinds(all))
	require.Contains(t, all[2].Error.EValue, "no shell")
	require.Equal(t, []string{all[2].Error.EValue}, all[2].Error.Traceback)

	all = events(t, d.do("POST", "/command", `{"command":"true","background":true}`).body)
	require.Equal(t, []stream.Type{stream.Init, stream.Failure}, kinds(all), "never bare JSON on a started stream")
	require.Equal(t, "RUNTIME_ERROR", all[1].Error.EName)
	var status map[string]any
	d.do("GET", "/command/status/"+all[0].Text, "").into(t, &status)
	require.EqualValues(t, 255, status["exit_code"])
}

func TestBadCommands(t *testing.T) {
	d := serve(t, func(o *Options) { o.MaxJSON = 64 << 10 })
	for body, status := range map[string]int{
		``:                                      400,
		`[]`:                                    400,
		`{"command":""}`:                        400,
		`{"command":7}`:                         400,
		`{"command":"true","timeout":-1}`:       400,
		`{"command":"true","gid":1}`:            400,
		`{"command":"true","uid":-1}`:           400,
		`{"command":"true","uid":1.5}`:          400,
		`{"command":"true","cwd":"/no/where"}`:  400,
		`{"command":"true","cwd":"/etc/hosts"}`: 400,
		`{"command":"` + strings.Repeat("x", 64<<10) + `"}`: 413,
	} {
		require.Equal(t, "INVALID_REQUEST_BODY", d.do("POST", "/command", body).problem(t, status), "%.60s", body)
	}
}

func TestPingsAndDisconnect(t *testing.T) {
	d := serve(t, func(o *Options) { o.PingInterval = 10 * time.Millisecond })
	dir := t.TempDir()
	mark := filepath.Join(dir, "done")

	// A client that leaves does not end the command …
	f := d.follow(request(map[string]any{"command": "while [ ! -e " + mark + " ]; do sleep 0.05; done; exit 5"}))
	id := f.next().Text
	for range 3 {
		require.Equal(t, stream.Ping, f.next().Type)
	}
	require.NoError(t, f.res.Body.Close())
	require.NoError(t, os.WriteFile(mark, nil, 0o600))
	require.Eventually(t, func() bool { return exitCode(d, id) == 5 }, patience, 10*time.Millisecond)

	// … unless it asked for that.
	f = d.follow(request(map[string]any{"command": "sleep 300", "cancel_on_disconnect": true}))
	id = f.next().Text
	require.NoError(t, f.res.Body.Close())
	require.Eventually(t, func() bool { return exitCode(d, id) == -1 }, patience, 10*time.Millisecond)
}

func exitCode(d *daemon, id string) int {
	var status struct {
		Running  bool `json:"running"`
		ExitCode int  `json:"exit_code"`
	}
	d.do("GET", "/command/status/"+id, "").into(d.t, &status)
	if status.Running {
		return 1 << 20
	}
	return status.ExitCode
}

func TestInterrupt(t *testing.T) {
	d := serve(t, nil)
	f := d.follow(`{"command":"echo up; sleep 300"}`)
	id := f.next().Text
	f.until(stream.Stdout)
	a := d.do("DELETE", "/command?id="+id, "")
	require.Equal(t, 200, a.status, a.body)
	require.Empty(t, a.body)
	last := f.until(stream.Failure)
	require.Equal(t, "-1", last.Error.EValue)
	require.Equal(t, []string{"signal: terminated"}, last.Error.Traceback)
	_, err := f.in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the stream ends properly")
	require.NoError(t, f.res.Body.Close())

	require.Equal(t, "RUNTIME_ERROR", d.do("DELETE", "/command?id="+id, "").problem(t, 500))
	require.Equal(t, "MISSING_QUERY", d.do("DELETE", "/command", "").problem(t, 400))
	require.Equal(t, "COMMAND_NOT_FOUND", d.do("DELETE", "/command?id=none", "").problem(t, 404))
	require.Equal(t, "COMMAND_NOT_FOUND", d.do("GET", "/command/status/none", "").problem(t, 404))
	require.Equal(t, "COMMAND_NOT_FOUND", d.do("GET", "/command/none/logs", "").problem(t, 404))
}

func TestBackgroundAndLogs(t *testing.T) {
	d := serve(t, nil)
	mark := filepath.Join(t.TempDir(), "go")
	// The first part ends inside a two-byte sequence.
	text := `printf 'one\n\303'; while [ ! -e ` + mark + ` ]; do sleep 0.05; done; printf '\251\ntwo'`
	all := events(t, d.do("POST", "/command", request(map[string]any{"command": text, "background": true})).body)
	require.Equal(t, []stream.Type{stream.Init, stream.Complete}, kinds(all))
	id := all[0].Text
	var status map[string]any
	d.do("GET", "/command/status/"+id, "").into(t, &status)
	require.Equal(t, true, status["running"])
	require.NotContains(t, status, "exit_code")
	require.NotContains(t, status, "finished_at")

	read := func(cursor string) (string, string) {
		a := d.do("GET", "/command/"+id+"/logs?cursor="+cursor, "")
		require.Equal(t, 200, a.status)
		require.Equal(t, "text/plain; charset=utf-8", a.header.Get("Content-Type"))
		return a.body, a.header.Get(cursorHeader)
	}
	require.Eventually(t, func() bool { body, _ := read("0"); return body != "" }, patience, 5*time.Millisecond)
	body, cursor := read("")
	require.Equal(t, "one\n", body, "half a character is not sent")
	require.Equal(t, "4", cursor)
	require.NoError(t, os.WriteFile(mark, nil, 0o600))
	require.Eventually(t, func() bool { return exitCode(d, id) == 0 }, patience, 5*time.Millisecond)
	body, cursor = read(cursor)
	require.Equal(t, "é\ntwo", body)
	require.Equal(t, "10", cursor)
	body, cursor = read("10")
	require.Empty(t, body)
	require.Equal(t, "10", cursor)
	body, cursor = read("999")
	require.Empty(t, body)
	require.Equal(t, "999", cursor)
	body, _ = read("junk")
	require.Equal(t, "one\né\ntwo", body)
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("GET", "/command/"+id+"/logs?cursor=-1", "").problem(t, 400))
}

func TestLargeLogs(t *testing.T) {
	d := serve(t, nil)
	all := events(t, d.do("POST", "/command", `{"command":"seq 1 200000","background":true}`).body)
	require.Eventually(t, func() bool { return exitCode(d, all[0].Text) == 0 }, patience, 10*time.Millisecond)
	a := d.do("GET", "/command/"+all[0].Text+"/logs", "")
	require.Equal(t, a.header.Get(cursorHeader), strconv.Itoa(len(a.body)))
	require.True(t, strings.HasPrefix(a.body, "1\n2\n"))
	require.True(t, strings.HasSuffix(a.body, "\n200000\n"))
}

func TestShutdownEndsStreamsWithATerminalEvent(t *testing.T) {
	d := serve(t, func(o *Options) { o.WatchInterval = 10 * time.Millisecond })
	f := d.follow(`{"command":"echo up; sleep 300"}`)
	f.until(stream.Stdout)
	watch := d.open("GET", "/metrics/watch", "")
	ended := make(chan struct{})
	go func() { defer close(ended); d.server.Shutdown() }()
	require.Equal(t, []string{"signal: terminated"}, f.until(stream.Failure).Error.Traceback)
	_, err := io.ReadAll(watch.Body)
	require.NoError(t, err)
	require.NoError(t, f.res.Body.Close())
	require.NoError(t, watch.Body.Close())
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("shutdown hangs")
	}
}

func TestMetrics(t *testing.T) {
	d := serve(t, func(o *Options) { o.WatchInterval = 10 * time.Millisecond })
	var m map[string]float64
	quick(t, func() { d.do("GET", "/metrics", "").into(t, &m) }, "no sampling pause")
	require.Positive(t, m["cpu_count"])
	require.GreaterOrEqual(t, m["cpu_used_pct"], 0.0)
	require.LessOrEqual(t, m["cpu_used_pct"], 100.0)
	require.Positive(t, m["mem_total_mib"])
	require.LessOrEqual(t, m["mem_used_mib"], m["mem_total_mib"])
	require.WithinDuration(t, time.Now(), time.UnixMilli(int64(m["timestamp"])), patience)

	res := d.open("GET", "/metrics/watch", "")
	defer res.Body.Close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	buf := make([]byte, 4096)
	var got strings.Builder
	for strings.Count(got.String(), "\n\n") < 3 {
		n, err := res.Body.Read(buf)
		require.NoError(t, err)
		got.Write(buf[:n])
	}
	frame, _, _ := strings.Cut(got.String(), "\n\n")
	require.NoError(t, json.Unmarshal([]byte(frame), &m), frame)
}

func TestManyCommandsAtOnce(t *testing.T) {
	d := serve(t, nil)
	results := make(chan string, 20)
	for i := range 20 {
		go func() {
			res, err := d.client.Post("http://"+d.addr+"/command", "", strings.NewReader(fmt.Sprintf(`{"command":"echo %d"}`, i)))
			if err != nil {
				results <- err.Error()
				return
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if !strings.Contains(string(body), fmt.Sprintf(`"text":"%d"`, i)) || !strings.Contains(string(body), "execution_complete") {
				results <- string(body)
				return
			}
			results <- ""
		}()
	}
	for range 20 {
		require.Empty(t, <-results)
	}
}
