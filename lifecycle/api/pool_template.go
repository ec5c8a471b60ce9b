package api

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
)

// annotationWhenEmpty says what a claim gets while no member of the pool is left: "create"
// (also when it is absent) has the claim make its own, "fail" refuses it.
const annotationWhenEmpty = "opensandbox.io/when-empty"

// idle is what a member runs whose template says nothing.
var idle = []string{"tail", "-f", "/dev/null"}

// poolTemplate reads the part of a PodTemplateSpec that a container engine can honour: one
// container's image, command, args, env and limits, and the platform. Everything else is
// named in unsupported, so that no wish is dropped in silence.
func poolTemplate(p *decode.Problems, f decode.Field) (t pools.Template, unsupported []string) {
	m := f.Members()
	if metadata := m.Field("metadata").Members(); metadata != nil {
		if annotations := metadata.Field("annotations").Members(); annotations != nil {
			whenEmpty(annotations.Field(annotationWhenEmpty), &t)
			annotations.Done()
		}
		metadata.Done()
	}
	spec := m.Field("spec").Required().Members()
	containers := spec.Field("containers").Required()
	if items, ok := containers.List(); ok && len(items) != 1 {
		containers.Fail("value_error", "must have exactly one container")
	} else if ok {
		templateContainer(items[0].Members(), &t)
	}
	t.Platform = templatePlatform(spec.Field("nodeSelector"))
	spec.Done()
	m.Done()
	return t, p.Unknown()
}

func whenEmpty(f decode.Field, t *pools.Template) {
	switch value, ok := f.String(); {
	case !ok || value == "create":
	case value == "fail":
		t.FailWhenEmpty = true
	default:
		f.Fail("value_error", `must be "create" or "fail"`)
	}
}

func templateContainer(m *decode.Members, t *pools.Template) {
	m.Field("name").String() // any will do: there is one
	t.Image = filled(m.Field("image").Required())
	command, _ := m.Field("command").Strings()
	arguments := m.Field("args")
	words, _ := arguments.Strings()
	if len(words) > 0 && len(command) == 0 {
		arguments.Fail("value_error", "needs command beside it: the image's own entrypoint is not used")
	}
	if t.Entrypoint = append(command, words...); len(t.Entrypoint) == 0 {
		t.Entrypoint = idle
	}
	variables, _ := m.Field("env").List()
	for _, v := range variables {
		one := v.Members()
		name := filled(one.Field("name").Required())
		value, _ := one.Field("value").String()
		one.Done()
		t.Env = append(t.Env, lifecycle.EnvVar{Name: name, Value: value})
	}
	if resources := m.Field("resources").Members(); resources != nil {
		if limits := resources.Field("limits").Members(); limits != nil {
			for _, key := range []string{"cpu", "memory", "gpu"} {
				if value, ok := limits.Field(key).String(); ok {
					if t.Resources == nil {
						t.Resources = map[string]string{}
					}
					t.Resources[key] = value
				}
			}
			limits.Done()
		}
		resources.Done()
	}
	m.Done()
}

// templatePlatform reads the well-known labels of nodes.
func templatePlatform(f decode.Field) *lifecycle.Platform {
	m := f.Members()
	if m == nil {
		return nil
	}
	os, _ := m.Field("kubernetes.io/os").Required().String()
	arch, _ := m.Field("kubernetes.io/arch").Required().String()
	m.Done()
	return &lifecycle.Platform{OS: os, Arch: arch}
}

func templateUnsupported(members []string) error {
	for i, name := range members {
		members[i] = strings.TrimPrefix(name, "body.")
	}
	return apierror.New(http.StatusBadRequest, decode.Code,
		"This runtime cannot honour %s; leave it out.", strings.Join(members, ", "))
}
