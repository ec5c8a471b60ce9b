#!/usr/bin/env bash
# The go command for xcaddy. xcaddy replaces our module by this folder without requiring
# it, so that go then looks for the package caddymodule as a module of its own on the
# proxy; where a proxy refuses unknown names, that ends the build. Requiring the replaced
# module answers the question before it is asked.
set -euo pipefail
go "$@"
if [ "${1-} ${2-}" = "mod edit" ]; then
  go mod edit -require "$EDGE_MODULE@v0.0.0-00010101000000-000000000000"
fi
