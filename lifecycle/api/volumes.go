package api

import (
	"math"
	"regexp"

	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

var (
	nameText     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	absoluteText = regexp.MustCompile(`^/`)
	hostPathText = regexp.MustCompile(`^(/|[A-Za-z]:[\\/])`)
	quantityText = regexp.MustCompile(`^\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	ossVersion   = regexp.MustCompile(`^[12]\.0$`)
)

// volumes reads the volumes member (contract 01 §6.8). What the fields say of each other and
// of the operator's rules is the service's.
func volumes(f decode.Field) []volume.Volume {
	items, _ := f.List()
	var all []volume.Volume
	for _, item := range items {
		if m := item.Required().Members(); m != nil {
			all = append(all, oneVolume(item, m))
		}
	}
	return all
}

func oneVolume(f decode.Field, m *decode.Members) (v volume.Volume) {
	v.Name = matching(m.Field("name").Required(), nameText, 63, "lower-case letters, digits and inner hyphens, at most 63")
	v.MountPath = matching(m.Field("mountPath").Required(), absoluteText, math.MaxInt, "an absolute path")
	v.ReadOnly, _ = m.Field("readOnly").Bool()
	v.SubPath, _ = m.Field("subPath").String()
	host, pvc, ossfs := m.Field("host"), m.Field("pvc"), m.Field("ossfs")
	if fields := host.Members(); fields != nil {
		v.Host = hostPath(fields)
	}
	if fields := pvc.Members(); fields != nil {
		v.Claim = claim(fields)
	}
	if fields := ossfs.Members(); fields != nil {
		v.OSSFS = bucket(fields)
	}
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
	return v
}

func hostPath(m *decode.Members) *volume.Host {
	defer m.Done()
	return &volume.Host{Path: matching(m.Field("path").Required(), hostPathText, math.MaxInt, "an absolute path")}
}

func claim(m *decode.Members) *volume.Claim {
	c := &volume.Claim{Create: true}
	c.Name = matching(m.Field("claimName").Required(), nameText, 253, "lower-case letters, digits and inner hyphens, at most 253")
	if create, given := m.Field("createIfNotExists").Bool(); given {
		c.Create = create
	}
	c.DeleteWithSandbox, _ = m.Field("deleteOnSandboxTermination").Bool()
	c.StorageClass, _ = m.Field("storageClass").String()
	c.Storage = matching(m.Field("storage"), quantityText, math.MaxInt, "a quantity such as 1Gi")
	c.AccessModes, _ = m.Field("accessModes").Strings()
	m.Done()
	return c
}

func bucket(m *decode.Members) *volume.OSSFS {
	o := &volume.OSSFS{Version: volume.OSSFS2}
	name := m.Field("bucket").Required()
	text, ok := name.String()
	if ok && (len(text) < 3 || len(text) > 63) {
		name.Fail("string_too_short", "must have 3 to 63 characters")
	}
	o.Bucket = text
	o.Endpoint = filled(m.Field("endpoint").Required())
	if version := matching(m.Field("version"), ossVersion, math.MaxInt, `"1.0" or "2.0"`); version != "" {
		o.Version = version
	}
	o.Options, _ = m.Field("options").Strings()
	o.KeyID = secret.New(filled(m.Field("accessKeyId").Required()))
	o.KeySecret = secret.New(filled(m.Field("accessKeySecret").Required()))
	m.Done()
	return o
}
