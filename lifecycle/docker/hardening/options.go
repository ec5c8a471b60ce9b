package hardening

// Options are the operator's wishes. The zero value of a field is its safer or documented
// default.
type Options struct {
	// DropCapabilities are removed from sandboxes; nil = the contract's list, empty = none.
	DropCapabilities []string
	// AllowNewPrivileges turns no-new-privileges off.
	AllowNewPrivileges bool
	// AppArmorProfile is the name of a loaded profile, or "unconfined"; empty = the engine's
	// default.
	AppArmorProfile string
	// SeccompProfile is a profile in JSON or its path, or "unconfined"; empty = the engine's
	// default.
	SeccompProfile string
	// OCIRuntime is the engine's runtime for sandboxes, e.g. "runsc"; empty = its default.
	OCIRuntime string

	// PidsLimit per sandbox; 0 = 4096, negative = unlimited.
	PidsLimit int64
	// LogBytes bounds one file of the output that the engine keeps of a sandbox; 0 = 10 MiB,
	// negative = unbounded. LogFiles is how many of them it keeps; 0 = 3.
	LogBytes int64
	LogFiles int
	// ShmBytes is the size of /dev/shm; 0 = the engine's default, 64 MiB.
	ShmBytes int64
	// StorageBytes bounds what a sandbox may write into its own file system; 0 = unbounded.
	StorageBytes int64
	// Tmpfs are file systems in memory, as "/path" or "/path:size=64Mi,mode=1777,exec". Without a
	// size one holds 64 MiB; without exec nothing in it can be run.
	Tmpfs []string
	// Ulimits are process limits, as "nofile=1024" or "nofile=1024:4096" (soft:hard).
	Ulimits []string

	// ExtraHosts are lines of /etc/hosts, as "name:address"; the address may be "host-gateway".
	ExtraHosts []string
	// DNS are the addresses of name servers; empty = the engine's. DNSSearch and DNSOptions are
	// the other lines of resolv.conf.
	DNS        []string
	DNSSearch  []string
	DNSOptions []string

	// DefaultMemory (bytes) and DefaultNanoCPUs bound sandboxes whose create asks for no
	// limit, or for 0; 0 = unlimited. Processors are never more than the engine has.
	DefaultMemory   int64
	DefaultNanoCPUs int64
}

const (
	defaultPids     = 4096
	defaultLogBytes = 10 << 20
	defaultLogFiles = 3
	unconfined      = "unconfined"
)

// defaultDrop is the contract's list of capabilities no sandbox needs (contract 02 §1).
var defaultDrop = []string{
	"AUDIT_WRITE", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG",
}
