package volume

import "github.com/opensandbox-edge/edge/secret"

// Volume is one wish. Exactly one of Host, Claim and OSSFS is set.
type Volume struct {
	Name      string // unique within the sandbox
	MountPath string // absolute, in the sandbox
	ReadOnly  bool
	SubPath   string // relative, within the backend; "" = all of it

	Host  *Host
	Claim *Claim
	OSSFS *OSSFS
}

// Host is a directory or regular file of the host.
type Host struct{ Path string }

// Claim is a volume that the backend keeps: a named volume of the engine, or a claim on
// Kubernetes.
type Claim struct {
	Name string
	// Create makes the volume where it does not exist.
	Create bool
	// DeleteWithSandbox removes a volume that this request made with the last sandbox that
	// uses it.
	DeleteWithSandbox bool

	// StorageClass, Storage and AccessModes are for Kubernetes; "" and nil = its defaults.
	StorageClass string
	Storage      string
	AccessModes  []string
}

// OSSFS is a bucket of an object store, mounted on the host through FUSE.
type OSSFS struct {
	Bucket, Endpoint string
	Version          string // "1.0" or "2.0": which program mounts it
	Options          []string
	KeyID, KeySecret secret.Text
}

// The programs that mount a bucket.
const (
	OSSFS1 = "1.0"
	OSSFS2 = "2.0"
)
