package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// InsecureAcknowledged tells whether the operator has acknowledged, by
// OPENSANDBOX_INSECURE_SERVER=YES, that the server may run without an API key. Nothing but
// exactly that word counts. lookup is os.LookupEnv in a real process.
func InsecureAcknowledged(lookup func(name string) (string, bool)) bool {
	value, _ := lookup(EnvInsecure)
	return value == "YES"
}

// environment lays the variables of contract 07 §4 over the file's values.
func (d *decoder) environment(o Options) {
	if value, set := o.env(EnvAPIKey); set {
		if key := strings.TrimSpace(value); key != "" {
			d.config.Server.APIKey = secret.New(key)
			d.config.Server.APIKeyFile = ""
			d.report.Origins["server.api_key"] = Origin{Source: FromEnvironment, Detail: EnvAPIKey}
			delete(d.report.Origins, "server.api_key_file")
		} else {
			d.report.warn("environment", 0, EnvAPIKey, "is set but blank; server.api_key of the file stays in force")
		}
	}
	if value, _ := o.env(EnvPendingTTL); strings.TrimSpace(value) != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		switch {
		case err != nil:
			d.failEnv(EnvPendingTTL, "Input should be a valid integer")
		case n < 0:
			d.failEnv(EnvPendingTTL, "Input should be greater than or equal to 0")
		case n > maxSeconds:
			d.failEnv(EnvPendingTTL, "Input should be less than or equal to "+strconv.FormatInt(maxSeconds, 10))
		default:
			d.config.Docker.PendingFailureTTL = time.Duration(n) * time.Second
			d.report.Origins["docker.pending_failure_ttl_seconds"] = Origin{Source: FromEnvironment, Detail: EnvPendingTTL}
		}
	}
	if value, _ := o.env(EnvDockerHost); strings.TrimSpace(value) != "" && d.config.Runtime.Type == RuntimeDocker {
		if message := checkEngineHost(value); message != "" {
			d.failEnv(EnvDockerHost, message)
			return
		}
		d.config.Docker.Host = value
		d.report.Origins["docker.host"] = Origin{Source: FromEnvironment, Detail: EnvDockerHost}
	}
}

func (d *decoder) failEnv(name, message string) {
	d.invalid = append(d.invalid, Violation{File: "environment", Key: name, Message: message})
}
