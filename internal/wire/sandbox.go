package wire

// The ports with a meaning in every sandbox.
const (
	PortExecd  uint16 = 44772 // the daemon
	PortEgress uint16 = 18080 // the egress sidecar
	PortWeb    uint16 = 8080  // the application's, which engines may publish
)

// The variables that the server sets in every sandbox and its daemon reads. Port and host
// are blank where the daemon has a network of its own to listen on.
const (
	EnvExecdPort     = "OPENSANDBOX_EXECD_PORT" // where it listens; blank = PortExecd
	EnvExecdHost     = "OPENSANDBOX_EXECD_HOST" // the IPv4 address it listens on; blank = all
	EnvSandboxID     = "OPENSANDBOX_ID"
	EnvExecdToken    = "EXECD_ACCESS_TOKEN"        // the token in clear
	EnvExecdTokenSum = "EXECD_ACCESS_TOKEN_SHA256" // lower-case hex SHA-256 of it
)

// LabelPrefix begins the labels on backend objects that clients may not write.
const LabelPrefix = "opensandbox.io/"
