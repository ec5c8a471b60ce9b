package lifecycle

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
)

func TestLabels(t *testing.T) {
	long := strings.Repeat("a", 63)
	for key, ok := range map[string]bool{
		"a": true, "team": true, "A-b_c.d": true, long: true, "opensandbox.io": true,
		"example.com/a": true, "a.b-c/D": true, strings.Repeat("a", 253) + "/" + long: true, "x.opensandbox.io/a": true,
		"": false, "-a": false, "a-": false, "a b": false, "ä": false, long + "a": false, "a\n": false,
		"/a": false, "a/": false, "a/b/c": false, "Ex.com/a": false, "a..b/c": false, ".a/b": false, "a./b": false,
		strings.Repeat("a", 254) + "/a": false, "ex.com\n/a": false,
		"opensandbox.io/id": false, "opensandbox.io/": false,
	} {
		require.Equal(t, ok, checkLabelKey(key) == nil, "key %q", key)
	}
	for value, ok := range map[string]bool{
		"": true, "a": true, "1.0_x-Y": true, long: true,
		long + "a": false, "a\n": false, "\n": false, "-": false, "a/b": false, " a": false, "ä": false, "a%b": false,
	} {
		require.Equal(t, ok, checkLabelValue("k", value) == nil, "value %q", value)
	}
}

// A label that passes fits everywhere labels go, and survives the list filter's coding.
func FuzzLabels(f *testing.F) {
	f.Add("example.com/a", "b")
	f.Add("a\n", "b\n")
	f.Fuzz(func(t *testing.T, key, value string) {
		if checkLabels(map[string]string{key: value}) != nil {
			return
		}
		require.False(t, strings.HasPrefix(key, wire.LabelPrefix))
		require.NotContains(t, key+value, "\n")
		require.False(t, strings.ContainsAny(key+value, "%+&=;, \x00\"'\\"), "%q=%q", key, value)
		require.LessOrEqual(t, strings.Count(key, "/"), 1)
		require.NotContains(t, value, "/")
		require.LessOrEqual(t, len(value), 63)
		require.LessOrEqual(t, len(key), 253+1+63)
	})
}

func TestLimits(t *testing.T) {
	const gi = 1 << 30
	for in, want := range map[string]int64{
		"512": 512, "512b": 512, "1k": 1e3, "1kb": 1e3, "1Ki": 1024, "1m": 1e6, "1MB": 1e6, "512Mi": 512 << 20,
		"2g": 2e9, "2GB": 2e9, "2Gi": 2 * gi, "1t": 1e12, "1Ti": 1 << 40, "1Pi": 1 << 50, "1p": 1e15,
		" 1.5Gi ": 3 * gi / 2, "0.5Ki": 512, "0.1Ki": 102, "0": 0, "9223372036854775806": 1<<63 - 2,
	} {
		limits, _, err := parseLimits(map[string]string{"memory": in})
		require.NoError(t, err, in)
		require.Equal(t, want, limits.MemoryBytes, in)
	}
	for in, want := range map[string]int64{
		"1": 1e9, "500m": 5e8, "0.5": 5e8, ".5": 5e8, "1.": 1e9, "2.25": 2_250_000_000, "0.000000001": 1, "1.5m": 1_500_000, " 250M ": 25e7,
	} {
		limits, _, err := parseLimits(map[string]string{"cpu": in})
		require.NoError(t, err, in)
		require.Equal(t, want, limits.NanoCPUs, in)
	}
	for in, want := range map[string]int{"1": 1, "16": 16, "all": -1, " ALL ": -1} {
		limits, _, err := parseLimits(map[string]string{"gpu": in})
		require.NoError(t, err, in)
		require.Equal(t, want, limits.GPUs, in)
	}
	for key, values := range map[string][]string{
		"memory": {"", "i", "1i", "-1", "1e3", "NaN", "1,5Gi", "1.5.5", "1KiB", "1 Gi", "9223372036854775807", "9999Pi", "1Ei", "0x10", "١", strings.Repeat("9", 1000)},
		"cpu":    {"", "0", "0m", "-1", "+1", "1e3", "inf", "NaN", "1_0", "m", ".", "0.0000000001", "9999999999999", "1 m"},
		"gpu":    {"", "0", "-1", "1.0", "al", "99999"},
	} {
		for _, value := range values {
			_, _, err := parseLimits(map[string]string{key: value})
			require.ErrorContains(t, err, "resourceLimits."+key, "%q", value)
		}
	}
	_, ignored, err := parseLimits(map[string]string{"disk": "x", "storage": "1Gi", "cpu": "1"})
	require.NoError(t, err)
	require.Equal(t, []string{"disk", "storage"}, ignored)
}

func FuzzLimits(f *testing.F) {
	for _, seed := range []string{"1.5Gi", "500m", "all", "0", "1e309", "9223372036854775808"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, key := range []string{"memory", "cpu", "gpu"} {
			limits, _, err := parseLimits(map[string]string{key: value})
			if err != nil {
				require.Equal(t, Limits{}, limits)
				continue
			}
			require.GreaterOrEqual(t, limits.MemoryBytes, int64(0))
			require.GreaterOrEqual(t, limits.GPUs, -1)
			if key == "cpu" {
				require.Positive(t, limits.NanoCPUs, "%q is accepted and limits nothing", value)
			}
			if key == "gpu" {
				require.NotZero(t, limits.GPUs, "%q is accepted and asks for nothing", value)
			}
		}
	})
}

func FuzzMergePatch(f *testing.F) {
	f.Add("a", "1", "b", "2", "a", true)
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3 string, del bool) {
		old := map[string]string{k1: v1, "keep": "x"}
		before := maps.Clone(old)
		patch := map[string]*string{k2: &v2}
		if del {
			patch[k3] = nil
		}
		once := mergePatch(old, patch)
		require.Equal(t, before, old, "the old map was changed")
		require.Equal(t, once, mergePatch(once, patch), "applying it twice is not applying it once")
		for key, value := range patch {
			got, present := once[key]
			require.Equal(t, value != nil, present)
			if value != nil {
				require.Equal(t, *value, got)
			}
		}
		for key, value := range old {
			if _, named := patch[key]; !named {
				require.Equal(t, value, once[key])
			}
		}
		require.Equal(t, once, mergePatch(once, nil))
	})
}

// The environment's proxies must not see sandbox traffic. Loopback is never sent to
// them, so only the setting itself can be looked at.
func TestPingerUsesNoProxy(t *testing.T) {
	require.Nil(t, NewProber().(pinger).client.Transport.(*http.Transport).Proxy)
}
