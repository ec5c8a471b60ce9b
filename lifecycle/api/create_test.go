package api_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

func TestCreateReadsEveryMember(t *testing.T) {
	e := newEdge(t)
	w := e.do("POST", "/v1/sandboxes", `{
		"image":{"uri":"registry.example.com/a:1","auth":{"username":"u","password":"p4ss"}},
		"snapshotId":"  ","platform":{"os":"linux","arch":"arm64"},"timeout":"3600","resourceLimits":{"cpu":"500m"},
		"env":{"B":"2","A":"1","N":null,"E":""},"metadata":{"team":"ml"},"entrypoint":["sh","-c",""],
		"secureAccess":null,"extensions":{"access.renew.extend.seconds":"300"},
		"networkPolicy":null,"credentialProxy":null,"volumes":null}`)
	require.Equal(t, 202, w.Code, w.Body.String())
	got := e.service.created
	require.Equal(t, "p4ss", got.ImageAuth.Password.Reveal())
	got.ImageAuth = nil
	require.Equal(t, lifecycle.CreateRequest{
		Client:   "main", // whose creates in progress are bounded
		Image:    "registry.example.com/a:1",
		Platform: &lifecycle.Platform{OS: "linux", Arch: "arm64"}, Timeout: time.Hour,
		Resources:  map[string]string{"cpu": "500m"},
		Env:        []lifecycle.EnvVar{{Name: "B", Value: "2"}, {Name: "A", Value: "1"}, {Name: "E"}},
		Metadata:   map[string]string{"team": "ml"},
		Entrypoint: []string{"sh", "-c", ""},
		Extensions: map[string]string{"access.renew.extend.seconds": "300"},
	}, got)
	require.NotContains(t, e.log.String(), "p4ss")
}

func TestCreateVariants(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		check      func(*testing.T, lifecycle.CreateRequest)
	}{
		{"manual cleanup", with(`"timeout":null`), func(t *testing.T, r lifecycle.CreateRequest) { require.Zero(t, r.Timeout) }},
		{"least timeout", with(`"timeout":60.0`), func(t *testing.T, r lifecycle.CreateRequest) { require.Equal(t, time.Minute, r.Timeout) }},
		{"absurd timeout is the service's to refuse", with(`"timeout":1e300`), func(t *testing.T, r lifecycle.CreateRequest) {
			require.Equal(t, lifecycle.TimeoutSeconds(math.MaxInt64), r.Timeout)
		}},
		{"snake case", `{"image":{"uri":"a"},"entrypoint":["x"],"resource_limits":{},"secure_access":"yes"}`, func(t *testing.T, r lifecycle.CreateRequest) {
			require.True(t, r.SecureAccess)
		}},
		{"snapshot", `{"snapshotId":" s ","resourceLimits":{}}`, func(t *testing.T, r lifecycle.CreateRequest) {
			require.Equal(t, " s ", r.SnapshotID, "trimmed by the service")
			require.Nil(t, r.Entrypoint)
		}},
		{
			"blank image with snapshot", `{"snapshotId":"s","image":{"uri":" ","auth":{"username":"u","password":"p"}},"resourceLimits":{}}`,
			func(t *testing.T, r lifecycle.CreateRequest) {
				require.Empty(t, r.Image)
				require.Nil(t, r.ImageAuth)
			},
		},
		{"pool without anything", `{"extensions":{"poolRef":" py "}}`, func(t *testing.T, r lifecycle.CreateRequest) {
			require.Equal(t, " py ", r.Extensions["poolRef"])
		}},
		{"blank pool is none", with(`"extensions":{"poolRef":" "}`), func(t *testing.T, r lifecycle.CreateRequest) { require.Equal(t, "python:3.11", r.Image) }},
		{"empty policy is a policy", with(`"networkPolicy":{}`), func(t *testing.T, r lifecycle.CreateRequest) { require.True(t, r.NetworkPolicy) }},
		{
			"policy with proxy", with(`"network_policy":{"default_action":"deny","egress":[{"action":"allow","target":"pypi.org"}]},"credential_proxy":{"enabled":1}`),
			func(t *testing.T, r lifecycle.CreateRequest) { require.True(t, r.NetworkPolicy && r.CredentialProxy) },
		},
		{"no volume", with(`"volumes":[]`), func(t *testing.T, r lifecycle.CreateRequest) { require.Empty(t, r.Volumes) }},
		{
			"volumes", with(`"volumes":[
			{"name":"a","mountPath":"/a","host":{"path":"/srv"},"pvc":null,"readOnly":null},
			{"name":"b","mount_path":"/b","host":{"path":"C:\\x"},"sub_path":"x","read_only":true},
			{"name":"c","mountPath":"/c","pvc":{"claim_name":"c","storageClass":null,"storage":null,"accessModes":null,"deleteOnSandboxTermination":true}},
			{"name":"d","mountPath":"/d","pvc":{"claimName":"d","storage":"1.5Gi","accessModes":["ReadWriteOnce"],"createIfNotExists":false}},
			{"name":"e","mountPath":"/e","ossfs":{"bucket":"abc","endpoint":"x","accessKeyId":"i","accessKeySecret":"s","version":"1.0","options":["o"]}},
			{"name":"f","mountPath":"/f","ossfs":{"bucket":"abc","endpoint":"x","accessKeyId":"i","accessKeySecret":"s"}}]`),
			func(t *testing.T, r lifecycle.CreateRequest) {
				require.Equal(t, []volume.Volume{
					{Name: "a", MountPath: "/a", Host: &volume.Host{Path: "/srv"}},
					{Name: "b", MountPath: "/b", SubPath: "x", ReadOnly: true, Host: &volume.Host{Path: `C:\x`}},
					{Name: "c", MountPath: "/c", Claim: &volume.Claim{Name: "c", Create: true, DeleteWithSandbox: true}},
					{Name: "d", MountPath: "/d", Claim: &volume.Claim{Name: "d", Storage: "1.5Gi", AccessModes: []string{"ReadWriteOnce"}}},
				}, r.Volumes[:4])
				o := r.Volumes[4].OSSFS
				require.Equal(t, []any{"abc", "x", "1.0", []string{"o"}, "i", "s"},
					[]any{o.Bucket, o.Endpoint, o.Version, o.Options, o.KeyID.Reveal(), o.KeySecret.Reveal()})
				require.Equal(t, volume.OSSFS2, r.Volumes[5].OSSFS.Version)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEdge(t)
			w := e.do("POST", "/v1/sandboxes", tc.body)
			require.Equal(t, 202, w.Code, w.Body.String())
			tc.check(t, e.service.created)
		})
	}
}

// with adds members to a valid create request.
func with(members string) string { return createBody[:len(createBody)-1] + "," + members + "}" }

func TestCreateFieldRules(t *testing.T) {
	volume := func(rest string) string { return with(`"volumes":[{"name":"v","mountPath":"/v",` + rest + `}]`) }
	for body, want := range map[string]string{
		`[]`:                                  "model_attributes_type body",
		`"text"`:                              "model_attributes_type body",
		`null`:                                "model_attributes_type body",
		with(`"image":"python"`):              "model_attributes_type body.image",
		with(`"image":{}`):                    "missing body.image.uri",
		with(`"image":{"uri":null}`):          "string_type body.image.uri",
		with(`"image":{"uri":1}`):             "string_type body.image.uri",
		with(`"image":{"uri":"a","auth":{}}`): "missing body.image.auth.username; missing body.image.auth.password",
		with(`"image":{"uri":"a","auth":{"username":"u","password":null}}`): "string_type body.image.auth.password",
		with(`"snapshotId":7`):                                              "string_type body.snapshotId",
		with(`"platform":{"os":"linux"}`):                                   "missing body.platform.arch",
		with(`"timeout":59`):                                                "greater_than_equal body.timeout",
		with(`"timeout":60.5`):                                              "int_from_float body.timeout",
		with(`"timeout":"soon"`):                                            "int_parsing body.timeout",
		with(`"timeout":true`):                                              "int_type body.timeout",
		with(`"resourceLimits":{"cpu":1}`):                                  "string_type body.resourceLimits.cpu",
		with(`"resourceLimits":{"cpu":null}`):                               "string_type body.resourceLimits.cpu",
		with(`"env":{"A":1}`):                                               "string_type body.env.A",
		with(`"env":[]`):                                                    "dict_type body.env",
		with(`"metadata":{"a":null}`):                                       "string_type body.metadata.a",
		with(`"entrypoint":[]`):                                             "too_short body.entrypoint",
		with(`"entrypoint":"sh"`):                                           "list_type body.entrypoint",
		with(`"entrypoint":[1]`):                                            "string_type body.entrypoint.0",
		with(`"extensions":{"poolRef":null}`):                               "string_type body.extensions.poolRef",
		with(`"secureAccess":"perhaps"`):                                    "bool_parsing body.secureAccess",
		with(`"credentialProxy":{"enabled":2}`):                             "bool_parsing body.credentialProxy.enabled",
		with(`"networkPolicy":{"egress":[{}]}`):                             "missing body.networkPolicy.egress.0.action; missing body.networkPolicy.egress.0.target",
		with(`"networkPolicy":{"egress":[{"action":"allow","target":""}]}`): "string_too_short body.networkPolicy.egress.0.target",
		with(`"networkPolicy":{"defaultAction":1}`):                         "string_type body.networkPolicy.defaultAction",
		with(`"volumes":{}`):                                                "list_type body.volumes",
		with(`"volumes":[{}]`):                                              "missing body.volumes.0.name; missing body.volumes.0.mountPath; value_error body.volumes.0",
		volume(`"host":{"path":"/a"},"pvc":{"claimName":"c"}`):              "value_error body.volumes.0",
		volume(`"host":{"path":"a"}`):                                       "string_pattern_mismatch body.volumes.0.host.path",
		volume(`"host":{}`):                                                 "missing body.volumes.0.host.path",
		with(`"volumes":[null]`):                                            "model_attributes_type body.volumes.0",
		volume(`"pvc":{"claimName":"UP"}`):                                  "string_pattern_mismatch body.volumes.0.pvc.claimName",
		volume(`"pvc":{"claimName":"` + strings.Repeat("a", 254) + `"}`):    "string_too_long body.volumes.0.pvc.claimName",
		volume(`"pvc":{"claimName":"c","storage":"big"}`):                   "string_pattern_mismatch body.volumes.0.pvc.storage",
		volume(`"pvc":{"claimName":"c\n"}`):                                 "string_pattern_mismatch body.volumes.0.pvc.claimName",
		volume(`"ossfs":{"bucket":"ab","endpoint":"","version":"3.0","accessKeyId":"","accessKeySecret":"s"}`): "string_too_short body.volumes.0.ossfs.bucket; " +
			"string_too_short body.volumes.0.ossfs.endpoint; string_pattern_mismatch body.volumes.0.ossfs.version; string_too_short body.volumes.0.ossfs.accessKeyId",
		with(`"volumes":[{"name":"Bad_Name","mountPath":"rel","host":{"path":"/a"}}]`): "string_pattern_mismatch body.volumes.0.name; string_pattern_mismatch body.volumes.0.mountPath",
		// All at once, whatever their kind; rules between fields wait.
		`{"image":{"uri":1},"timeout":1,"env":{"A":{}},"entrypoint":[]}`: "string_type body.image.uri; greater_than_equal body.timeout; string_type body.env.A; too_short body.entrypoint",
	} {
		e := newEdge(t)
		a := wantError(t, e.do("POST", "/v1/sandboxes", body), 422, "SANDBOX::INVALID_PARAMETER")
		var got []string
		for _, d := range a.Detail {
			parts := make([]string, len(d.Loc))
			for i, p := range d.Loc {
				parts[i] = fmt.Sprint(p)
			}
			got = append(got, d.Type+" "+strings.Join(parts, "."))
			require.Contains(t, a.Message, strings.Join(parts, ".")+": "+d.Msg)
		}
		require.Equal(t, want, strings.Join(got, "; "), body)
		require.Empty(t, e.service.calls)
	}
}

func TestCreateRulesBetweenFields(t *testing.T) {
	for body, want := range map[string]string{
		`{"extensions":{"poolRef":"p"},"snapshotId":"s"}`:                   "poolRef and snapshotId",
		`{"extensions":{"poolRef":"p"},"credentialProxy":{"enabled":true}}`: "not available with extensions.poolRef",
		`{"image":{"uri":"a"},"credentialProxy":{"enabled":true}}`:          "needs a networkPolicy",
		`{"resourceLimits":{}}`: "exactly one of image and snapshotId",
		`{"image":{"uri":" "},"entrypoint":["x"],"resourceLimits":{}}`: "exactly one of image and snapshotId",
		`{"image":{"uri":"a"},"snapshotId":"s","resourceLimits":{}}`:   "exactly one of image and snapshotId",
		`{"image":{"uri":"a"}}`:                                          "entrypoint is required",
		`{"image":{"uri":"a"},"entrypoint":["x"]}`:                       "resourceLimits is required",
		`{"image":{"uri":"a"},"entrypoint":["x"],"resourceLimits":null}`: "resourceLimits is required",
		`{"snapshotId":"s"}`:                                             "resourceLimits is required",
	} {
		e := newEdge(t)
		a := wantError(t, e.do("POST", "/v1/sandboxes", body), 422, "SANDBOX::INVALID_PARAMETER")
		require.Len(t, a.Detail, 1)
		require.Equal(t, "value_error", a.Detail[0].Type)
		require.Equal(t, []any{"body"}, a.Detail[0].Loc)
		require.Contains(t, a.Detail[0].Msg, want, body)
	}
}

func TestRejectedInputIsNeverRepeated(t *testing.T) {
	const leak = "hunter2-secret"
	for _, body := range []string{
		with(`"timeout":"` + leak + `"`),
		with(`"env":{"PASSWORD":["` + leak + `"]}`),
		with(`"image":{"uri":"a","auth":{"username":["` + leak + `"],"password":{"x":"` + leak + `"}}}`),
		with(`"volumes":[{"name":"` + leak + `_","mountPath":"` + leak + `","ossfs":{"accessKeySecret":"` + leak + `"}}]`),
		`{"a":` + leak + `}`,
		leak,
	} {
		e := newEdge(t)
		w := e.do("POST", "/v1/sandboxes", body)
		wantError(t, w, 422, "SANDBOX::INVALID_PARAMETER")
		require.NotContains(t, w.Body.String(), leak)
		require.NotContains(t, e.log.String(), leak)
	}
}

func TestUnknownMembersAreLoggedByName(t *testing.T) {
	e := newEdge(t)
	w := e.do("POST", "/v1/sandboxes", with(`"nextThing":"hunter2","image":{"uri":"a","pullPolicy":"hunter2"},"env":{"ANY":"1"}`))
	require.Equal(t, 202, w.Code)
	require.Contains(t, e.log.String(), `"members":["body.image.pullPolicy","body.nextThing"]`)
	require.NotContains(t, e.log.String(), "hunter2")
	require.NotContains(t, e.log.String(), "ANY")
}
