package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// load hands an image to the engine through the Docker CLI, which knows contexts and
// hosts. An image that is there already is left as it is; one that the new image takes
// the name from is removed, unless something still uses it.
func load(ctx context.Context, m made) error {
	before := imageID(ctx, m.reference)
	if before == m.id {
		fmt.Printf("%s is loaded already\n", m.reference)
		return nil
	}
	file, err := os.Open(m.path)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "docker", "load", "--quiet")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("the docker command is missing; on Debian: apt-get install -y docker.io")
		}
		return fmt.Errorf("docker load of %s: %w", m.path, err)
	}
	if before != "" {
		_ = exec.CommandContext(ctx, "docker", "rmi", before).Run() // in use: it stays
	}
	return nil
}

// imageID is the engine's id of a reference, "" when it has none.
func imageID(ctx context.Context, reference string) string {
	out, err := exec.CommandContext(ctx, "docker", "image", "inspect", "-f", "{{.Id}}", reference).Output()
	if err != nil {
		return "" // absent, or the load is about to say what is wrong
	}
	return strings.TrimSpace(string(out))
}
