package config

// Kind is the type of a key's value, as people who write the file see it.
type Kind string

// The kinds. Coercion follows contract 07 §1.1.
const (
	Text       Kind = "string"
	Path       Kind = "path" // a leading ~ or ~user is expanded
	Integer    Kind = "integer"
	Number     Kind = "number"
	Boolean    Kind = "boolean"
	TextList   Kind = "list of strings"
	PathList   Kind = "list of paths"
	PortList   Kind = "list of ports"
	TextMap    Kind = "table of strings"
	Secret     Kind = "secret string" // masked in every output; may be "${NAME}"
	SecretList Kind = "list of secret strings"
)

// Template names one of the files that init-config writes.
type Template string

// The example templates.
const (
	Docker     Template = "docker"
	DockerZH   Template = "docker-zh"
	Kubernetes Template = "k8s"
	K8sZH      Template = "k8s-zh"
)

// Templates lists the example templates in the order the help shows them.
func Templates() []Template { return []Template{Docker, DockerZH, Kubernetes, K8sZH} }

// Key describes one key of the file.
type Key struct {
	Name     string // within its section
	Kind     Kind
	Default  any    // string, int, float64, bool or []string; nil = absent
	Absent   string // what absence means where Default is nil, for people
	Required bool   // must be given when its section is

	Min, Max  *int // of an Integer; Min also of a Number
	Above     *int // exclusive lower bound of a Number
	MinLength int  // in characters, or in entries of a list
	Enum      []string
	AnyCase   bool // Enum is matched in any case and stored as spelled there
	Disable   bool // 0, -1 and "null" are accepted and stored as 0 = off
	FreeText  bool // control characters are allowed
	NewKey    bool // unknown to the reference implementation, which ignores it
	Live      bool // a reload applies a changed value; others need a restart
	Inert     bool // accepted so that files stay portable, and without effect in this server

	Doc, ZH string
	Example map[Template]string // TOML literal written active into that template
	Sample  string              // TOML literal shown commented out where there is no default

	check func(value string) string // further rule for a non-blank string or list entry; "" = fine
	at    func(c *Config, i int) any
}

// Section describes one table of the file.
type Section struct {
	Name     string // dotted
	Doc, ZH  string
	Required bool   // must be present when the section it sits in is
	Dotted   bool   // templates write its keys as dotted keys of the section it sits in
	Array    bool   // an array of tables
	Chosen   bool   // being present is a choice: templates write even the header commented out
	NewKey   bool   // unknown to the reference implementation
	Only     string // the runtime.type it belongs to; "" = both
	// Lifecycle sections are for a process that runs sandboxes: with [control] they are not
	// required and have no effect.
	Lifecycle bool
	Keys      []Key

	resize func(c *Config, n int) // with Array: make room for n elements
	length func(c *Config) int
}

// Sections returns the whole key table in file order.
func Sections() []Section { return sections }

var sections = []Section{
	serverSection, logSection, runtimeSection,
	dockerSection, dockerDefaultLimitsSection, kubernetesSection, execdInitResourcesSection, agentSandboxSection,
	imageSection,
	ingressSection, gatewaySection, gatewayRouteSection, gatewayAlsoSection, secureAccessSection, secureAccessKeysSection,
	egressSection, storageSection, storeSection, secureRuntimeSection,
	renewIntentSection, renewRedisSection,
	controlSection, metricsSection, tracingSection,
}

func bound(n int) *int { return &n }

// same gives all four templates one literal.
func same(literal string) map[Template]string {
	return map[Template]string{Docker: literal, DockerZH: literal, Kubernetes: literal, K8sZH: literal}
}

// perRuntime gives the two languages of each runtime one literal; "" leaves the key commented out.
func perRuntime(docker, kubernetes string) map[Template]string {
	m := map[Template]string{}
	if docker != "" {
		m[Docker], m[DockerZH] = docker, docker
	}
	if kubernetes != "" {
		m[Kubernetes], m[K8sZH] = kubernetes, kubernetes
	}
	return m
}

// image gives the Chinese templates the mainland mirror of a released image.
func image(repository string) map[Template]string {
	m := same(`"` + repository + `"`)
	m[DockerZH] = `"` + mainlandRegistry + repository + `"`
	m[K8sZH] = m[DockerZH]
	return m
}

const mainlandRegistry = "sandbox-registry.cn-zhangjiakou.cr.aliyuncs.com/"
