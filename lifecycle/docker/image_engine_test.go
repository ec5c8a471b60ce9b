//go:build docker

package docker

import (
	"context"
	"crypto/subtle"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/lifecycle/docker/registryauth"
	"github.com/opensandbox-edge/edge/secret"
)

// owner may read what is in a privateRegistry.
var owner = lifecycle.RegistryAuth{Username: "owner", Password: secret.New("right")}

// privateRegistry is a registry that wants owner's login, with one image in it that the
// engine does not have.
func privateRegistry(t *testing.T, cli *client.Client) (image string) {
	t.Helper()
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != owner.Username || subtle.ConstantTimeCompare([]byte(password), []byte(owner.Password.Reveal())) == 0 {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	image = strings.TrimPrefix(server.URL, "http://") + "/private/" + uuid.NewString()[:8] + ":v1"
	push(t, cli, demoImage(), image)
	return image
}

// push makes from the tag of an image in a registry; the engine keeps none.
func push(t *testing.T, cli *client.Client, from, to string) {
	t.Helper()
	require.NoError(t, cli.ImageTag(t.Context(), from, to))
	answer, err := cli.ImagePush(t.Context(), to, dockerimage.PushOptions{RegistryAuth: registryauth.FromRequest(&owner).Reveal()})
	require.NoError(t, err)
	require.NoError(t, readProgress(answer))
	require.NoError(t, answer.Close())
	forget := func() { _, _ = cli.ImageRemove(context.Background(), to, dockerimage.RemoveOptions{Force: true}) }
	forget()
	t.Cleanup(forget)
}

func private(image string, login *lifecycle.RegistryAuth) lifecycle.Spec {
	s := spec(uuid.NewString())
	s.Image, s.ImageAuth = image, login
	return s
}

func TestRefusalsOfARealRegistry(t *testing.T) {
	r, cli := open(t, nil), engineClient(t)
	image := privateRegistry(t, cli)
	for name, c := range map[string]struct {
		image string
		login *lifecycle.RegistryAuth
		text  string
	}{
		"no login":    {image, nil, "demands a login"},
		"wrong login": {image, &lifecycle.RegistryAuth{Username: "owner", Password: secret.New("wrong")}, "demands a login"},
		"no such tag": {image + "x", &owner, "no such image"},
	} {
		_, err := r.Create(t.Context(), private(c.image, c.login))
		typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
		require.Contains(t, typed.Message, c.text, name)
		require.NotContains(t, err.Error(), "wrong", name)
	}
	_, err := r.Create(t.Context(), private(image, &owner))
	require.NoError(t, err)
}

func TestWhoMayUseACachedImage(t *testing.T) {
	shared := open(t, nil)
	checked := open(t, func(o *Options) { o.CheckImageAccess = true })
	cli := engineClient(t)
	image := privateRegistry(t, cli)

	_, err := checked.Create(t.Context(), private(image, nil))
	requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	_, err = checked.Create(t.Context(), private(image, &owner))
	require.NoError(t, err)
	_, err = shared.Create(t.Context(), private(image, nil))
	require.NoError(t, err, "whoever may create, may use what the engine has")

	for name, login := range map[string]*lifecycle.RegistryAuth{"none": nil, "wrong": {Username: "owner", Password: secret.New("x")}} {
		s := private(image, login)
		_, err = checked.Create(t.Context(), s)
		typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
		require.Contains(t, typed.Message, "does not let this request read it", name)
		_, err = checked.Inspect(t.Context(), s.ID)
		require.ErrorIs(t, err, lifecycle.ErrNotFound)
	}
	found, err := cli.ImageInspect(t.Context(), image)
	require.NoError(t, err)
	require.NotEmpty(t, found.RepoDigests)
	_, err = checked.Create(t.Context(), private(found.ID, &owner))
	require.Contains(t, requireCode(t, err, http.StatusBadRequest, codeInvalidParameter).Message, "use the image's name")

	again := private(image, &owner)
	_, err = checked.Create(t.Context(), again)
	require.NoError(t, err)
}

func TestLocalImagesNeedNoRegistry(t *testing.T) {
	r, cli := open(t, func(o *Options) { o.CheckImageAccess = true }), engineClient(t)
	name := variant(t, cli, demoImage(), nil)
	_, err := r.Create(t.Context(), private(name, nil))
	require.NoError(t, err)
	found, err := cli.ImageInspect(t.Context(), name)
	require.NoError(t, err)
	_, err = r.Create(t.Context(), private(found.ID, nil))
	require.NoError(t, err, "by id as well: nobody's login brought it")
}

func TestPullPolicies(t *testing.T) {
	proxy := enginetest.Start(t)
	cli := engineClient(t)
	image := privateRegistry(t, cli)

	never := open(t, func(o *Options) { o.Host, o.PullPolicy = proxy.Host(), PullNever })
	_, err := never.Create(t.Context(), private(image, &owner))
	typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	require.Contains(t, typed.Message, "the operator has to load it")
	require.Empty(t, proxy.Requests(enginetest.PullImage))

	always := open(t, func(o *Options) { o.Host, o.PullPolicy = proxy.Host(), PullAlways })
	_, err = always.Create(t.Context(), private(image, &owner))
	require.NoError(t, err)
	before, err := cli.ImageInspect(t.Context(), image)
	require.NoError(t, err)

	_, err = never.Create(t.Context(), private(image, nil))
	require.NoError(t, err, "now it is there")

	moved := variant(t, cli, demoImage(), nil)
	push(t, cli, moved, image)
	second := private(image, &owner)
	_, err = always.Create(t.Context(), second)
	require.NoError(t, err)
	c, err := cli.ContainerInspect(t.Context(), "sandbox-"+second.ID)
	require.NoError(t, err)
	require.NotEqual(t, before.ID, c.Image, "the tag is followed")
	require.Len(t, proxy.Requests(enginetest.PullImage), 2)

	_, err = always.Create(t.Context(), private(image, nil))
	requireCode(t, err, http.StatusInternalServerError, codePullFailed)

	restored := private(image, nil)
	restored.SnapshotID = uuid.NewString()
	_, err = always.Create(t.Context(), restored)
	require.NoError(t, err, "images of snapshots are in no registry")
}

func TestNoPullOntoAFullDisk(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host, o.PullMinFree = proxy.Host(), math.MaxInt64 })
	if r.pulls.disk.free == 0 {
		t.Skip("SKIPPED: the engine's disk is not this machine's")
	}
	_, err := r.Create(t.Context(), private(absent(), nil))
	typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	require.Contains(t, typed.Message, "disk is full")
	require.Empty(t, proxy.Requests(enginetest.PullImage))
	_, err = r.Create(t.Context(), spec(uuid.NewString()))
	require.NoError(t, err, "what is there can still be used")
}

func TestPullsAtOnceAreBounded(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host, o.MaxPulls = proxy.Host(), 2 })
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Hold})
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			_, err := r.Create(t.Context(), private(absent(), nil))
			requireCode(t, err, http.StatusInternalServerError, codePullFailed)
		})
	}
	require.Eventually(t, func() bool {
		r.pulls.mu.Lock()
		defer r.pulls.mu.Unlock()
		return len(r.pulls.flights) == 5 && len(proxy.Requests(enginetest.PullImage)) == 2
	}, waitFor, time.Millisecond)
	require.Len(t, r.pulls.slots, 2)
	proxy.Release()
	waiting.Wait()
}
