package config

// Config is the effective configuration: defaults filled in, environment applied,
// every rule of contract 07 checked. Sections that the file leaves out hold their defaults.
type Config struct {
	// Path is the file it was read from; "" = none.
	Path string

	Server        Server
	Log           Log
	Runtime       Runtime
	Docker        DockerRuntime
	Kubernetes    KubernetesRuntime
	AgentSandbox  AgentSandbox
	Image         Image
	Ingress       Ingress
	Egress        Egress
	Storage       Storage
	Store         Store
	SecureRuntime SecureRuntime
	RenewIntent   RenewIntent
	Control       Control
	Metrics       Metrics
	Tracing       Tracing
}
