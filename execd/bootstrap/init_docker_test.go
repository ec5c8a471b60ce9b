//go:build docker

package bootstrap_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImageWithoutShell(t *testing.T) {
	t.Parallel()
	c := start(t, []string{"--env", "EXECD_BOOTSTRAP_PRE_SCRIPT=" + initPath}, bare, execdPath, "version")
	require.Equal(t, 0, c.end(), c.logs())
	require.Contains(t, c.logs(), "opensandbox-execd ")
	require.Contains(t, c.logs(), "no shell to source it")
	require.Contains(t, c.logs(), `"msg":"listening"`)

	c = start(t, nil, bare)
	require.Equal(t, 1, c.end())
	require.Contains(t, c.logs(), "the image has no shell")
	c = start(t, nil, bare, "no-such-program")
	require.Equal(t, 127, c.end())
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for script, code := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -15 $$": 143} {
		c := start(t, nil, withSh, "-c", script)
		require.Equal(t, code, c.end(), "%s: %s", script, c.logs())
	}
}

func TestStopReachesTheEntrypoint(t *testing.T) {
	t.Parallel()
	c := start(t, nil, withSh, "sh", "-c", `trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.1; done`)
	c.eventually("ready", func() bool { return strings.Contains(c.logs(), "ready") })
	require.NoError(t, exec.Command("docker", "stop", "-t", "60", c.name).Run())
	require.Equal(t, 9, c.end(), "it was not killed")
	require.Contains(t, c.logs(), "bye")
}

func TestAnyStopSignalReachesTheEntrypoint(t *testing.T) {
	t.Parallel()
	// Each of these would end a Go program that does not ask for it, or be lost.
	for _, name := range []string{"ABRT", "SEGV", "WINCH", "ALRM", "37"} {
		c := start(t, nil, withSh, "sh", "-c", `trap 'echo caught; exit 9' `+name+`; echo ready; while :; do sleep 0.1; done`)
		c.eventually("ready", func() bool { return strings.Contains(c.logs(), "ready") })
		require.NoError(t, exec.Command("docker", "kill", "--signal", name, c.name).Run())
		require.Equal(t, 9, c.end(), name)
		require.Contains(t, c.logs(), "caught", name)
	}
}

func TestPreScriptIsSourcedUnderTheInstalledName(t *testing.T) {
	t.Parallel()
	// The entrypoint of one container leaves the script in a volume; the next one sources it.
	volume := "opensandbox-test-" + strings.ToLower(t.Name())
	t.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", "-f", volume).Run() })
	mount := []string{"--volume", volume + ":/pre"}
	c := start(t, mount, withSh, "sh", "-c", `echo 'export GREETING="from the script"; umask 027' > /pre/script`)
	require.Equal(t, 0, c.end(), c.logs())

	c = start(t, append(mount, "--env", "EXECD_BOOTSTRAP_PRE_SCRIPT=/pre/script"), withSh, "sh", "-c", `echo "$GREETING $(umask)"; sleep 600`)
	c.eventually("the entrypoint has it", func() bool { return strings.Contains(c.logs(), "from the script 0027") })
	c.eventually("up", c.up)
	require.Contains(t, c.command(`{"command":"echo again $GREETING"}`), "again from the script", "the daemon has it, too")
}

func TestZombiesAreReaped(t *testing.T) {
	t.Parallel()
	c := start(t, nil, withSh, "sleep", "600")
	c.eventually("up", c.up)
	for range 3 {
		// Each leaves an orphan that ends after its parent.
		require.Contains(t, c.command(`{"command":"(sleep 0.2; touch /tmp/ended.$$) & echo left"}`), "left")
	}
	c.eventually("orphans ended", func() bool {
		out, _ := c.sh("ls /tmp")
		return strings.Count(out, "ended.") == 3
	})
	c.eventually("no zombies", func() bool {
		_, err := c.sh(`grep -q '^State:.Z' /proc/[0-9]*/status`)
		return err != nil
	})
	require.True(t, c.up())
}

func TestExecdIsRestarted(t *testing.T) {
	t.Parallel()
	c := start(t, nil, withSh, "sleep", "600")
	c.eventually("up", c.up)
	before, err := c.sh("pidof execd")
	require.NoError(t, err, before)
	_, err = c.sh("kill -9 " + strings.TrimSpace(before))
	require.NoError(t, err)
	c.eventually("back", func() bool {
		after, _ := c.sh("pidof execd")
		return after != "" && after != before && c.up()
	})
	require.Contains(t, c.logs(), "restarted")
}

func TestNonRootOnAReadOnlyRoot(t *testing.T) {
	t.Parallel()
	c := start(t, []string{"--user", "12345:12345", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs", "/opt/opensandbox/run:mode=1777"},
		withSh, "-c", `echo FROM=user >> "$EXECD_ENVS"; sleep 600`)
	c.eventually("up", c.up)
	c.eventually("the env file is written", func() bool {
		return strings.Contains(c.command(`{"command":"echo uid $(id -u) from $FROM"}`), "uid 12345 from user")
	})
	// There is nowhere to put long output, and it still can be read.
	out := c.command(`{"command":"seq 1 20000"}`)
	require.Contains(t, out, `"text":"20000"`)
	require.Contains(t, out, "execution_complete")
	require.NotContains(t, c.logs(), "level=WARN")
}

func TestTokenStaysOutOfReach(t *testing.T) {
	t.Parallel()
	c := start(t, []string{"--env", "EXECD_ACCESS_TOKEN=in-clear"}, withSh, "-c", "env; sleep 600")
	c.eventually("up", c.up)
	// What a command of the sandbox can read of its ancestors, as root.
	out, _ := c.sh(`wget -q -O - --header 'X-EXECD-ACCESS-TOKEN: in-clear' --post-data '{"command":"cat /proc/1/environ /proc/$PPID/environ /proc/self/environ"}' http://127.0.0.1:44772/command`)
	require.Contains(t, out, "PATH=")
	require.Contains(t, out, "Permission denied")
	require.NotContains(t, out, "EXECD_ACCESS_TOKEN")
	require.NotContains(t, c.logs(), "in-clear")
}

// TestEgressCertificate: the sidecar, here another container that shares the
// volume, exports its certificate late; only the entrypoint waits for it. The
// bundle goes where it can be written.
func TestEgressCertificate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags  []string
		bundle string
	}{
		"writable":  {nil, `/opt/opensandbox/merged-ca-certificates\.pem`},
		"read-only": {[]string{"--read-only", "--tmpfs", "/opt/opensandbox/run:mode=1777"}, `/opt/opensandbox/run/opensandbox-ca-\d+/merged-ca-certificates\.pem`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := "execd-test-" + run + "-" + name
			require.NoError(t, exec.Command("docker", "volume", "create", labelArg, volume).Run())
			t.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", "-f", volume).Run() })
			sidecar := func(script string) {
				out, err := exec.Command("docker", "run", "--rm", labelArg, "--network", "none",
					"--mount", "type=volume,src="+volume+",dst=/opt/opensandbox", withSh, "sh", "-c", script).CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			sidecar("true") // fills the volume from the image
			mount := "type=volume,src=" + volume + ",dst=/opt/opensandbox"
			if len(c.flags) > 0 {
				mount += ",readonly"
			}
			flags := append([]string{
				"--env", "OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT=True", "--mount", mount,
			}, c.flags...)
			box := start(t, flags, withSh, "-c", `echo user trusts $SSL_CERT_FILE and $NODE_EXTRA_CA_CERTS; cat $SSL_CERT_FILE; sleep 600`)
			box.eventually("execd is not held back", box.up)
			require.NotContains(t, box.logs(), "user trusts")

			sidecar("echo EGRESS-CA >" + caPath)
			box.eventually("the entrypoint starts", func() bool { return strings.Contains(box.logs(), "EGRESS-CA") })
			require.Regexp(t, "user trusts "+c.bundle+" and "+caPath+"\nROOTS\nEGRESS-CA\n", box.output())
			require.Regexp(t, "command trusts "+c.bundle, box.command(`{"command":"echo command trusts $CURL_CA_BUNDLE"}`))
		})
	}
}
