# OpenSandbox Edge: every entry point. `make help` lists them.
# On Debian 12 as root the targets install what they need; elsewhere they name it.

SHELL       := /bin/bash
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X github.com/opensandbox-edge/edge/internal/version.Version=$(VERSION)
GO_BUILD    := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
TOOLS       := .cache/tools
WITH_ENGINE := tools/machine/with-engine

.DEFAULT_GOAL := help
.PHONY: help machine build images demo run test test-unit test-docker test-clients test-xcaddy lint vuln xcaddy fuzz bench clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

machine: ## Install what the other targets need (Debian as root), or say what is missing.
	@tools/machine/prepare

build: ## Build the binaries into bin/ (static).
	@mkdir -p bin
	$(GO_BUILD) -o bin/ ./cmd/...

images: machine ## Build the execd and demo images and load them into the engine.
	@$(WITH_ENGINE) go run ./deploy/images -out .cache/images -load

demo: machine build ## Show everything end to end on real containers, then clean up.
	@$(WITH_ENGINE) tools/machine/demo

run: machine build ## Run the server in the foreground with a generated config and key.
	@$(WITH_ENGINE) tools/machine/run

test: machine ## Everything below; prints what was skipped and why.
	@mkdir -p .cache && : > .cache/skipped
	@$(MAKE) --no-print-directory test-unit test-docker test-clients test-xcaddy
	@if [ -s .cache/skipped ]; then echo "SKIPPED parts:"; cat .cache/skipped; else echo "no part was skipped"; fi

test-unit: ## Unit tests under the race detector, no engine needed.
	@tools/machine/test-unit

test-docker: build ## Real containers: runtime, bootstrap and end-to-end suites.
	@$(WITH_ENGINE) tools/machine/test-docker

test-clients: build ## The published Python, osb and JavaScript clients against the real server.
	@$(WITH_ENGINE) tools/machine/test-clients

test-xcaddy: xcaddy ## The modules in a stock caddy built by xcaddy, started from Caddyfile.example.
	@$(WITH_ENGINE) tools/machine/test-xcaddy

lint: ## Formatting, vet, staticcheck, architecture.
	@tools/lint/run

vuln: ## Known vulnerabilities in what is called; needs the network, says so without it.
	@tools/lint/vuln

xcaddy: ## Build bin/caddy from xcaddy.json with the real xcaddy.
	@tools/xcaddy/build.sh

fuzz: ## Run every fuzz target for FUZZTIME (default 30s) each.
	@tools/lint/fuzz $(or $(FUZZTIME),30s)

bench: machine build ## What a request, a sandbox and the API cost, beside others; BENCH='-only request' for a part.
	@$(WITH_ENGINE) tools/machine/bench $(BENCH)

clean: ## Remove what the targets built.
	rm -rf bin .cache bench
