package edge

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Containers lists the ids of containers this server instance owns, running or not, but
// for Auxiliaries.
func (s *Server) Containers(ctx context.Context) ([]string, error) {
	out, err := s.docker(ctx, "ps", "-a", "--format", "{{.ID}}/{{.Names}}", "--filter", "label=opensandbox.io/instance="+s.Instance)
	var ids []string
	for _, line := range split(out) {
		if id, name, _ := strings.Cut(line, "/"); !strings.HasPrefix(name, "sandbox-execd-") {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// Auxiliaries lists the names of the instance's short-lived containers, which hand out execd
// and try the way to sandboxes.
func (s *Server) Auxiliaries(ctx context.Context) ([]string, error) {
	out, err := s.docker(ctx, "ps", "-a", "--format", "{{.Names}}", "--filter", "name=sandbox-execd-", "--filter", "label=opensandbox.io/instance="+s.Instance)
	return split(out), err
}

// Inspect is what the engine says about this server's containers.
func (s *Server) Inspect(ctx context.Context) (string, error) {
	ids, err := s.Containers(ctx)
	if err != nil {
		return "", err
	}
	return s.docker(ctx, append([]string{"inspect"}, ids...)...)
}

// RemoveContainers takes away what a killed server left; a tidy test finds nothing to remove.
func (s *Server) RemoveContainers(ctx context.Context) error {
	ids, err := s.Containers(ctx)
	if err != nil {
		return err
	}
	auxiliaries, err := s.Auxiliaries(ctx)
	ids = append(ids, auxiliaries...)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = s.docker(ctx, append([]string{"rm", "-fv"}, ids...)...)
	if err != nil && strings.Contains(err.Error(), "is already in progress") {
		return nil // the engine finishes what the killed server had begun
	}
	return err
}

func (s *Server) docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	if s.Engine != "" {
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+s.Engine)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

func split(s string) (lines []string) {
	for _, l := range bytes.Fields([]byte(s)) {
		lines = append(lines, string(l))
	}
	return lines
}
