package config

import "time"

// KubernetesRuntime is [kubernetes] (contract 07 §3.3).
type KubernetesRuntime struct {
	KubeconfigPath           string // "" = in-cluster credentials
	Namespace                string // "" = the service account's namespace, else "default"
	ServiceAccount           string
	WorkloadProvider         string // "batchsandbox" | "agent-sandbox"
	BatchSandboxTemplateFile string
	ImagePullPolicy          string
	CreateTimeout            time.Duration
	CreatePollInterval       time.Duration
	SnapshotTimeout          time.Duration
	InformerEnabled          bool
	InformerResync           time.Duration
	InformerWatchTimeout     time.Duration
	ReadQPS                  float64 // 0 = unlimited
	ReadBurst                int     // 0 = max(qps, 1)
	WriteQPS                 float64
	WriteBurst               int
	ExecdInitLimits          map[string]string
	ExecdInitRequests        map[string]string
}

// The values of kubernetes.workload_provider.
const (
	ProviderBatchSandbox = "batchsandbox"
	ProviderAgentSandbox = "agent-sandbox"
)

var kubernetesSection = Section{
	Name: "kubernetes", Only: RuntimeKubernetes, Lifecycle: true,
	Doc: "The Kubernetes runtime; only with runtime.type = \"kubernetes\", forbidden otherwise.",
	ZH:  "Kubernetes 运行时；仅用于 runtime.type = \"kubernetes\"，其他情况不得出现。",
	Keys: []Key{
		{
			Name: "kubeconfig_path", Kind: Path, Absent: "in-cluster credentials",
			Doc:     "Kubeconfig file; leave it out when the server runs inside the cluster.",
			ZH:      "kubeconfig 文件；服务器运行在集群内时请省略。",
			Example: perRuntime("", `"~/.kube/config"`),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.KubeconfigPath },
		},
		{
			Name: "namespace", Kind: Text, Absent: "the service account's namespace, else default", check: checkDNSLabel,
			Doc:     "Namespace of the sandboxes; better not the server's own.",
			ZH:      "沙箱所在的命名空间；最好不要与服务器相同。",
			Example: perRuntime("", `"opensandbox"`),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.Namespace },
		},
		{
			Name: "service_account", Kind: Text, Absent: "the namespace's default",
			Sample: `"sandbox"`,
			Doc:    "Service account of the sandbox pods.",
			ZH:     "沙箱 Pod 使用的 ServiceAccount。",
			at:     func(c *Config, _ int) any { return &c.Kubernetes.ServiceAccount },
		},
		{
			Name: "workload_provider", Kind: Text, Default: ProviderBatchSandbox, AnyCase: true,
			Enum:    []string{ProviderBatchSandbox, ProviderAgentSandbox},
			Doc:     "Custom resource that holds a sandbox: batchsandbox or agent-sandbox.",
			ZH:      "承载沙箱的自定义资源：batchsandbox 或 agent-sandbox。",
			Example: perRuntime("", `"batchsandbox"`),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.WorkloadProvider },
		},
		{
			Name: "batchsandbox_template_file", Kind: Path, Absent: "no template",
			Doc:     "YAML file with a BatchSandbox that every sandbox starts from. `init-config --example k8s` writes one beside this file, example.batchsandbox-template.yaml, and names it here: edit it.",
			ZH:      "作为每个沙箱基础的 BatchSandbox YAML 模板文件。`init-config --example k8s-zh` 会在本文件旁写入 example.batchsandbox-template.yaml，并在此处填写其路径：请按需修改。",
			Example: perRuntime("", `"~/batchsandbox-template.yaml"`),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.BatchSandboxTemplateFile },
		},
		{
			Name: "image_pull_policy", Kind: Text, Default: "IfNotPresent", Enum: []string{"Always", "IfNotPresent", "Never"},
			Doc:     "When a node pulls the sandbox image: Always, IfNotPresent or Never.",
			ZH:      "节点拉取沙箱镜像的策略：Always、IfNotPresent 或 Never。",
			Example: perRuntime("", `"IfNotPresent"`),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.ImagePullPolicy },
		},
		{
			Name: "sandbox_create_timeout_seconds", Kind: Integer, Default: 60, Min: bound(1),
			Doc: "Longest wait for a new sandbox to become ready, in seconds.",
			ZH:  "等待新沙箱就绪的最长秒数。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.CreateTimeout },
		},
		{
			Name: "sandbox_create_poll_interval_seconds", Kind: Number, Default: 1.0, Above: bound(0),
			Doc: "Seconds between two looks at a sandbox that is being created; used without informers.",
			ZH:  "创建期间两次查询沙箱状态之间的秒数；未启用 informer 时使用。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.CreatePollInterval },
		},
		{
			Name: "snapshot_create_timeout_seconds", Kind: Integer, Default: 900, Min: bound(1),
			Doc:     "Longest wait for a snapshot, in seconds; keep it above the controller's commit-job timeout.",
			ZH:      "等待快照完成的最长秒数；应大于控制器的 commit 任务超时。",
			Example: perRuntime("", "900"),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.SnapshotTimeout },
		},
		{
			Name: "informer_enabled", Kind: Boolean, Default: true,
			Doc:     "Answer reads from a watched cache instead of asking the API server each time.",
			ZH:      "通过 watch 缓存应答读请求，而不是每次查询 API Server。",
			Example: perRuntime("", "true"),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.InformerEnabled },
		},
		{
			Name: "informer_resync_seconds", Kind: Integer, Default: 300, Min: bound(1),
			Doc:     "Seconds between full refreshes of the cache.",
			ZH:      "缓存全量刷新的间隔秒数。",
			Example: perRuntime("", "300"),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.InformerResync },
		},
		{
			Name: "informer_watch_timeout_seconds", Kind: Integer, Default: 60, Min: bound(1),
			Doc:     "Seconds after which a watch is renewed.",
			ZH:      "watch 连接重建的秒数。",
			Example: perRuntime("", "60"),
			at:      func(c *Config, _ int) any { return &c.Kubernetes.InformerWatchTimeout },
		},
		{
			Name: "read_qps", Kind: Number, Default: 0.0, Min: bound(0),
			Doc: "Reads (get, list) per second sent to the API server; 0 = no limit.",
			ZH:  "每秒发往 API Server 的读请求（get、list）数；0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.ReadQPS },
		},
		{
			Name: "read_burst", Kind: Integer, Default: 0, Min: bound(0),
			Doc: "Reads that may exceed read_qps for a moment; 0 = as many as read_qps, at least one.",
			ZH:  "允许短时超出 read_qps 的读请求数；0 = 与 read_qps 相同，至少为 1。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.ReadBurst },
		},
		{
			Name: "write_qps", Kind: Number, Default: 0.0, Min: bound(0),
			Doc: "Writes (create, delete, patch) per second sent to the API server; 0 = no limit.",
			ZH:  "每秒发往 API Server 的写请求（create、delete、patch）数；0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.WriteQPS },
		},
		{
			Name: "write_burst", Kind: Integer, Default: 0, Min: bound(0),
			Doc: "Writes that may exceed write_qps for a moment; 0 = as many as write_qps, at least one.",
			ZH:  "允许短时超出 write_qps 的写请求数；0 = 与 write_qps 相同，至少为 1。",
			at:  func(c *Config, _ int) any { return &c.Kubernetes.WriteBurst },
		},
	},
}

var execdInitResourcesSection = Section{
	Name: "kubernetes.execd_init_resources", Only: RuntimeKubernetes, Lifecycle: true,
	Doc: "Resources of the init container that installs the in-sandbox daemon.",
	ZH:  "安装沙箱内守护进程的 init 容器的资源配置。",
	Keys: []Key{
		{
			Name: "limits", Kind: TextMap, Absent: "none",
			Sample: `{ cpu = "100m", memory = "128Mi" }`,
			Doc:    "Upper bounds, for example { cpu = \"100m\", memory = \"128Mi\" }.",
			ZH:     "资源上限，例如 { cpu = \"100m\", memory = \"128Mi\" }。",
			at:     func(c *Config, _ int) any { return &c.Kubernetes.ExecdInitLimits },
		},
		{
			Name: "requests", Kind: TextMap, Absent: "none",
			Sample: `{ cpu = "50m", memory = "64Mi" }`,
			Doc:    "Reserved amounts, for example { cpu = \"50m\", memory = \"64Mi\" }.",
			ZH:     "资源请求量，例如 { cpu = \"50m\", memory = \"64Mi\" }。",
			at:     func(c *Config, _ int) any { return &c.Kubernetes.ExecdInitRequests },
		},
	},
}
