package api

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/secret"
)

// create answers POST /sandboxes. The service returns once the sandbox is usable, or with
// "Prefer: respond-async" once it is promised; either way the client may ask for its
// endpoints at once (contract 01 §6.4).
func (h *Handler) create(w http.ResponseWriter, r *request) error {
	body, err := h.read(w, r)
	if err != nil {
		return err
	}
	value, err := decode.Parse(body, decode.Limits{})
	if err != nil {
		return decode.InvalidBody(err)
	}
	var problems decode.Problems
	wanted := decodeCreate(&problems, value, h.options.SecureDefault)
	h.note(w, r, &problems)
	if err := problems.Err(); err != nil {
		return err
	}
	if err := idempotent(&wanted, r.Header, body); err != nil {
		return err
	}
	wanted.Client = r.client
	wanted.Async = prefers(r.Header, respondAsync)
	created, err := h.service.Create(r.Context(), wanted)
	if err != nil {
		return err
	}
	if wanted.Async && created.Status.State == lifecycle.Pending { // a claim from a pool is answered when it is done
		w.Header().Set(headerApplied, respondAsync)
	}
	return writeJSON(w, http.StatusAccepted, createdOf(created))
}

// minTimeout is the shortest life a request may ask for, in seconds.
const minTimeout = 60

// decodeCreate reads a create request (contract 01 §6.1): all field violations at
// once, then the first violated rule between fields (§6.2). secureDefault stands for an
// absent secureAccess.
func decodeCreate(p *decode.Problems, body *decode.Value, secureDefault bool) lifecycle.CreateRequest {
	var c createFields
	m := p.Object(body, decode.Loc{"body"})
	c.image(m.Field("image"))
	c.SnapshotID, _ = m.Field("snapshotId").String()
	c.platform(m.Field("platform"))
	if seconds, ok := m.Field("timeout").IntAtLeast(minTimeout); ok {
		c.Timeout = lifecycle.TimeoutSeconds(seconds)
	}
	c.Resources, c.hasResources = m.Field("resourceLimits").StringMap()
	if env, ok := m.Field("env").NullableEntries(); ok {
		c.env(env)
	}
	c.Metadata, _ = m.Field("metadata").StringMap()
	c.entrypoint(m.Field("entrypoint"))
	c.NetworkPolicy = networkPolicy(m.Field("networkPolicy"))
	c.CredentialProxy = credentialProxy(m.Field("credentialProxy"))
	c.SecureAccess = secureDefault
	if secure, given := m.Field("secureAccess").Bool(); given {
		c.SecureAccess = secure
	}
	c.Volumes = volumes(m.Field("volumes"))
	c.Extensions, _ = m.Field("extensions").StringMap()
	m.Done()
	if !p.Any() {
		c.crossCheck(p)
	}
	return c.CreateRequest
}

// createFields is a create request and what the rules between its fields need to know.
type createFields struct {
	lifecycle.CreateRequest
	hasResources bool
}

// poolRef is the extension that asks for a sandbox out of a pool.
const poolRef = "poolRef"

// crossCheck applies the rules between fields in their order; the first failure counts.
func (c *createFields) crossCheck(p *decode.Problems) {
	reject := func(msg string) { p.Add(decode.Loc{"body"}, "value_error", msg) }
	hasImage, hasSnapshot := c.Image != "", strings.TrimSpace(c.SnapshotID) != ""
	if !hasSnapshot {
		c.SnapshotID = ""
	}
	if strings.TrimSpace(c.Extensions[poolRef]) != "" {
		switch {
		case hasSnapshot:
			reject("extensions.poolRef and snapshotId exclude each other")
		case c.CredentialProxy:
			reject("credentialProxy is not available with extensions.poolRef")
		}
		return
	}
	switch {
	case c.CredentialProxy && !c.NetworkPolicy:
		reject("credentialProxy.enabled needs a networkPolicy")
	case hasImage == hasSnapshot:
		reject("exactly one of image and snapshotId is required")
	case hasImage && c.Entrypoint == nil:
		reject("entrypoint is required with image")
	case !c.hasResources:
		reject("resourceLimits is required; it may be {}")
	}
}

// image reads the image. One whose uri is blank counts as absent, login included.
func (c *createFields) image(f decode.Field) {
	m := f.Members()
	if m == nil {
		return
	}
	uri, _ := m.Field("uri").Required().String()
	var login *lifecycle.RegistryAuth
	if auth := m.Field("auth").Members(); auth != nil {
		username, _ := auth.Field("username").Required().String()
		password, _ := auth.Field("password").Required().String()
		auth.Done()
		login = &lifecycle.RegistryAuth{Username: username, Password: secret.New(password)}
	}
	m.Done()
	if strings.TrimSpace(uri) != "" {
		c.Image, c.ImageAuth = uri, login
	}
}

func (c *createFields) platform(f decode.Field) {
	if m := f.Members(); m != nil {
		os, _ := m.Field("os").Required().String()
		arch, _ := m.Field("arch").Required().String()
		m.Done()
		c.Platform = &lifecycle.Platform{OS: os, Arch: arch}
	}
}

// env drops variables whose value is null.
func (c *createFields) env(entries []decode.Entry) {
	for _, e := range entries {
		if e.Value != nil {
			c.Env = append(c.Env, lifecycle.EnvVar{Name: e.Name, Value: *e.Value})
		}
	}
}

func (c *createFields) entrypoint(f decode.Field) {
	words, ok := f.Strings()
	if !ok {
		return
	}
	if items, _ := f.List(); len(items) == 0 {
		f.Fail("too_short", "must have at least one item")
	}
	c.Entrypoint = words
}

// networkPolicy checks the shape of a policy and tells whether there is one; {} is one.
func networkPolicy(f decode.Field) bool {
	m := f.Members()
	if m == nil {
		return false
	}
	m.Field("defaultAction").String()
	rules, _ := m.Field("egress").List()
	for _, rule := range rules {
		r := rule.Members()
		r.Field("action").Required().String()
		filled(r.Field("target").Required())
		r.Done()
	}
	m.Done()
	return true
}

func credentialProxy(f decode.Field) bool {
	m := f.Members()
	enabled, _ := m.Field("enabled").Bool()
	m.Done()
	return enabled
}

// filled reads a string that may not be empty.
func filled(f decode.Field) string {
	text, ok := f.String()
	if ok && text == "" {
		f.Fail("string_too_short", "must not be empty")
	}
	return text
}

// matching reads a string of a grammar.
func matching(f decode.Field, grammar *regexp.Regexp, most int, meaning string) string {
	text, ok := f.String()
	switch {
	case !ok:
	case len(text) > most:
		f.Fail("string_too_long", "must be shorter: "+meaning)
	case !grammar.MatchString(text):
		f.Fail("string_pattern_mismatch", "must be "+meaning)
	default:
		return text
	}
	return ""
}
