package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// settings is what the command line says.
type settings struct {
	out     string
	tag     string
	load    bool
	execd   string
	busybox string
	arch    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.StringVar(&s.out, "out", "", "folder the tars are written to (required)")
	flags.StringVar(&s.tag, "tag", defaultTag, "tag of the images")
	flags.BoolVar(&s.load, "load", false, "also load the images with `docker load`")
	flags.StringVar(&s.execd, "execd", "", "a built static execd binary; empty builds ./cmd/opensandbox-execd")
	flags.StringVar(&s.busybox, "busybox", "/bin/busybox", "the static busybox, Debian package busybox-static")
	flags.StringVar(&s.arch, "arch", runtime.GOARCH, "architecture of the images; needs a busybox of the same")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.out == "" {
		return fmt.Errorf("-out is required: the folder the tars are written to")
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}

	work, err := os.MkdirTemp("", "opensandbox-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	made, err := build(ctx, s, work)
	if err != nil {
		return err
	}
	for _, m := range made {
		fmt.Printf("%-26s %7.1f MiB  %s  %s\n", m.reference, float64(m.bytes)/(1<<20), m.id, m.path)
	}
	if !s.load {
		return nil
	}
	for _, m := range made {
		if err := load(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// build makes all images, with a line per step because the first compile takes a while.
func build(ctx context.Context, s settings, work string) ([]made, error) {
	step := func(what string) func() {
		start := time.Now()
		fmt.Printf("images: %s …\n", what)
		return func() { fmt.Printf("images: %s, %.1f s\n", what, time.Since(start).Seconds()) }
	}

	done := step("reading " + s.busybox)
	userland, err := readBusybox(ctx, s.busybox)
	if err != nil {
		return nil, err
	}
	done()

	execdPath := s.execd
	if execdPath == "" {
		done := step("building execd")
		execdPath = filepath.Join(work, "execd")
		if err := compile(ctx, "./cmd/opensandbox-execd", execdPath, s.arch); err != nil {
			return nil, err
		}
		done()
	}
	done = step("building the demo page")
	demoPath := filepath.Join(work, "demo-web")
	if err := compile(ctx, "./deploy/images/demo", demoPath, s.arch); err != nil {
		return nil, err
	}
	done()

	done = step("writing the tars")
	execd, err := execdImage(s, userland, execdPath)
	if err != nil {
		return nil, err
	}
	demo, err := demoImage(s, userland, demoPath)
	if err != nil {
		return nil, err
	}
	done()
	return []made{execd, demo}, nil
}
