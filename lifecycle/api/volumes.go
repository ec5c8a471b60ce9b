package api

import (
	"math"
	"regexp"

	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

var (
	nameText     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	absoluteText = regexp.MustCompile(`^/`)
	hostPathText = regexp.MustCompile(`^(/|[A-Za-z]:[\\/])`)
	quantityText = regexp.MustCompile(`^\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	ossVersion   = regexp.MustCompile(`^[12]\.0$`)
)

// volumes checks the shape of the volumes member (contract 01 §6.8) and tells whether
// any volume is wanted.
func volumes(f decode.Field) bool {
	items, _ := f.List()
	for _, item := range items {
		volume(item)
	}
	return len(items) > 0
}

func volume(f decode.Field) {
	m := f.Members()
	if m == nil {
		return
	}
	matching(m.Field("name").Required(), nameText, 63, "lower-case letters, digits and inner hyphens, at most 63")
	matching(m.Field("mountPath").Required(), absoluteText, math.MaxInt, "an absolute path")
	m.Field("readOnly").Bool()
	m.Field("subPath").String()
	host, pvc, ossfs := m.Field("host"), m.Field("pvc"), m.Field("ossfs")
	hostPath(host.Members())
	claim(pvc.Members())
	bucket(ossfs.Members())
	m.Done()
	backends := 0
	for _, b := range []decode.Field{host, pvc, ossfs} {
		if b.Present() {
			backends++
		}
	}
	if backends != 1 {
		f.Fail("value_error", "needs exactly one of host, pvc and ossfs")
	}
}

func hostPath(m *decode.Members) {
	matching(m.Field("path").Required(), hostPathText, math.MaxInt, "an absolute path")
	m.Done()
}

func claim(m *decode.Members) {
	matching(m.Field("claimName").Required(), nameText, 253, "lower-case letters, digits and inner hyphens, at most 253")
	m.Field("createIfNotExists").Bool()
	m.Field("deleteOnSandboxTermination").Bool()
	m.Field("storageClass").String()
	matching(m.Field("storage"), quantityText, math.MaxInt, "a quantity such as 1Gi")
	m.Field("accessModes").Strings()
	m.Done()
}

func bucket(m *decode.Members) {
	name := m.Field("bucket").Required()
	if text, ok := name.String(); ok && (len(text) < 3 || len(text) > 63) {
		name.Fail("string_too_short", "must have 3 to 63 characters")
	}
	filled(m.Field("endpoint").Required())
	matching(m.Field("version"), ossVersion, math.MaxInt, `"1.0" or "2.0"`)
	m.Field("options").Strings()
	filled(m.Field("accessKeyId").Required())
	filled(m.Field("accessKeySecret").Required())
	m.Done()
}
