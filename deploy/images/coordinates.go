package main

import (
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// The names the images get. The tag is not one a public registry serves, so that a locally
// built image never passes for a published one; a release passes -tag.
const (
	execdRepository = "opensandbox/execd"
	demoRepository  = "opensandbox/demo"
	defaultTag      = "edge"
)

// Labels on the images.
const (
	// labelExecdDigest is the SHA-256 of /execd, lower-case hex.
	labelExecdDigest   = wire.LabelPrefix + "execd-digest"
	labelBusyboxDigest = wire.LabelPrefix + "busybox-digest"
	labelTitle         = "org.opencontainers.image.title"
	labelLicenses      = "org.opencontainers.image.licenses"
)

// built is the one time in every image: a date in the past that tools show sensibly.
var built = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)
