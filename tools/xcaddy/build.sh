#!/usr/bin/env bash
# Builds bin/caddy from xcaddy.json with the xcaddy that this folder's module pins.
# The first build compiles all of Caddy and takes some minutes; later ones are quick.
set -euo pipefail
cd "$(dirname "$0")/../.."

key=$(cat tools/xcaddy/go.mod tools/xcaddy/go.sum <(go version) | sha256sum | cut -c1-16)
tools=$PWD/.cache/tools/xcaddy-$key
if [ ! -x "$tools/xcaddy" ]; then
  echo "xcaddy: building the tool (once)"
  mkdir -p "$tools"
  (cd tools/xcaddy && CGO_ENABLED=0 go build -o "$tools/" github.com/caddyserver/xcaddy/cmd/xcaddy)
fi

mapfile -t args < <(cd tools/xcaddy && go build -o "$tools/args" ./args && cd ../.. && "$tools/args")
[ "${#args[@]}" -gt 0 ] || { echo "xcaddy: xcaddy.json could not be read"; exit 1; }

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
export CGO_ENABLED=0 XCADDY_WHICH_GO=$PWD/tools/xcaddy/go.sh EDGE_MODULE=$(go list -m)
export XCADDY_GO_BUILD_FLAGS="-trimpath -ldflags '-s -w -X github.com/opensandbox-edge/edge/internal/version.Version=$version'"
mkdir -p bin
echo "xcaddy: ${args[*]} --output bin/caddy"
"$tools/xcaddy" "${args[@]}" --output "$PWD/bin/caddy"
modules=$(bin/caddy list-modules) # all of them: a pipe that grep -q closes early is a failure here
grep -q '^http.handlers.opensandbox_auth$' <<<"$modules" || { echo "xcaddy: our modules are missing from bin/caddy"; exit 1; }
echo "xcaddy: bin/caddy is ready"
