package examine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

// hidden stands for a value that is not shown.
const hidden = "***"

// Describe tells how a container looks (contract 02 §13). An inspection may lack any part.
func Describe(c container.InspectResponse) []diagnostics.Section {
	sections := []diagnostics.Section{{Fields: facts(c)}}
	add := func(title string, fields []diagnostics.Field) {
		if len(fields) > 0 {
			sections = append(sections, diagnostics.Section{Title: title, Fields: fields})
		}
	}
	add("Resources", resources(c))
	add("Network", networks(c))
	add("Ports", ports(c))
	if c.Config != nil {
		add("Labels", labels(c.Config.Labels))
		add("Environment", environment(c.Config.Env))
	}
	return sections
}

func facts(c container.InspectResponse) []diagnostics.Field {
	var out []diagnostics.Field
	add := func(label, value string) {
		if value != "" {
			out = append(out, diagnostics.Field{Label: label, Value: value})
		}
	}
	if c.ContainerJSONBase != nil {
		add("Container ID", short(c.ID))
		add("Name", strings.TrimPrefix(c.Name, "/"))
	}
	if c.Config != nil {
		add("Image", c.Config.Image)
	}
	if c.ContainerJSONBase == nil || c.State == nil {
		return out
	}
	add("Status", c.State.Status)
	add("Running", strconv.FormatBool(c.State.Running))
	add("Paused", strconv.FormatBool(c.State.Paused))
	add("OOMKilled", strconv.FormatBool(c.State.OOMKilled))
	add("Exit Code", strconv.Itoa(c.State.ExitCode))
	add("Started At", moment(c.State.StartedAt))
	add("Finished At", moment(c.State.FinishedAt))
	add("Error", c.State.Error)
	return out
}

func resources(c container.InspectResponse) []diagnostics.Field {
	if c.ContainerJSONBase == nil || c.HostConfig == nil {
		return nil
	}
	var out []diagnostics.Field
	if cpus := float64(c.HostConfig.NanoCPUs) / 1e9; cpus > 0 {
		out = append(out, diagnostics.Field{Label: "CPU", Value: fmt.Sprintf("%.2f cores", cpus)})
	}
	if memory := c.HostConfig.Memory; memory > 0 {
		out = append(out, diagnostics.Field{Label: "Memory", Value: fmt.Sprintf("%d MiB", memory>>20)})
	}
	if pids := c.HostConfig.PidsLimit; pids != nil && *pids > 0 {
		out = append(out, diagnostics.Field{Label: "PIDs Limit", Value: strconv.FormatInt(*pids, 10)})
	}
	return out
}

func networks(c container.InspectResponse) []diagnostics.Field {
	if c.NetworkSettings == nil {
		return nil
	}
	var out []diagnostics.Field
	for _, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
		address := "(no address)"
		if n := c.NetworkSettings.Networks[name]; n != nil && n.IPAddress != "" {
			address = n.IPAddress
		}
		out = append(out, diagnostics.Field{Label: name, Value: address})
	}
	return out
}

func ports(c container.InspectResponse) []diagnostics.Field {
	if c.NetworkSettings == nil {
		return nil
	}
	var out []diagnostics.Field
	for _, port := range slices.Sorted(maps.Keys(c.NetworkSettings.Ports)) {
		bindings := c.NetworkSettings.Ports[port]
		if len(bindings) == 0 {
			out = append(out, diagnostics.Field{Label: string(port) + " (not bound)"})
		}
		for _, b := range bindings {
			out = append(out, diagnostics.Field{Label: string(port) + " -> " + b.HostIP + ":" + b.HostPort})
		}
	}
	return out
}

// secretWords in the name of a label say that its value is not for eyes.
var secretWords = []string{"SECRET", "TOKEN", "PASSWORD", "KEY"}

func labels(all map[string]string) []diagnostics.Field {
	var out []diagnostics.Field
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		if value == "" && strings.HasPrefix(name, wire.LabelPrefix) {
			continue // set blank so that an image's is not inherited
		}
		upper := strings.ToUpper(name)
		if value != "" && slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(upper, w) }) {
			value = hidden
		}
		out = append(out, diagnostics.Field{Label: name + "=" + value})
	}
	return out
}

// environment names the variables. No word in a name tells that a value is harmless: a
// database's address carries its password (threat row K13).
func environment(all []string) []diagnostics.Field {
	names := make(map[string]bool, len(all))
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		names[name] = true
	}
	var out []diagnostics.Field
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, diagnostics.Field{Label: name})
	}
	return out
}

// short is the form of a container id that people use.
func short(id string) string { return id[:min(len(id), 12)] }
