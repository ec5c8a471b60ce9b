package caddymodule

// WebSockets over HTTP/2, in every program that holds these modules.
import _ "github.com/opensandbox-edge/edge/internal/extendedconnect"
