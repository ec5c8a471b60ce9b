package hardening

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const maxSeccompBytes = 4 << 20

// seccompActions are the words of the profile format.
var seccompActions = []string{
	"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
	"SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
}

// readSeccomp returns what the engine takes: "unconfined" or the profile as one line of JSON.
func readSeccomp(value string) (string, error) {
	if value == unconfined {
		return value, nil
	}
	raw := []byte(value)
	if strings.HasPrefix(value, "{") {
		value = "the JSON text"
	} else {
		file, err := os.Open(value)
		if err != nil {
			return "", fmt.Errorf("want \"unconfined\", a JSON profile or its path: %w", err)
		}
		defer file.Close()
		if raw, err = io.ReadAll(io.LimitReader(file, maxSeccompBytes+1)); err != nil {
			return "", err
		}
	}
	if len(raw) > maxSeccompBytes {
		return "", fmt.Errorf("%s is larger than %d bytes", value, maxSeccompBytes)
	}
	var shape struct {
		DefaultAction string `json:"defaultAction"`
		Syscalls      []struct {
			Action string `json:"action"`
		} `json:"syscalls"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return "", fmt.Errorf("%s is not a JSON seccomp profile: %w", value, err)
	}
	if shape.DefaultAction == "" {
		return "", fmt.Errorf("%s is no seccomp profile: it has no defaultAction", value)
	}
	actions := []string{shape.DefaultAction}
	for _, rule := range shape.Syscalls {
		actions = append(actions, rule.Action)
	}
	for _, action := range actions {
		if !slices.Contains(seccompActions, action) {
			return "", fmt.Errorf("%s names an unknown action %.40q; the actions are %s", value, action, strings.Join(seccompActions, ", "))
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", err
	}
	return compact.String(), nil
}
