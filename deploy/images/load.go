package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// load hands a tar to the engine through the Docker CLI, which knows contexts and hosts.
func load(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "docker", "load")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("the docker command is missing; on Debian: apt-get install -y docker.io")
		}
		return fmt.Errorf("docker load of %s: %w", path, err)
	}
	return nil
}
