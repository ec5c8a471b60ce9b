// Package openapi is the OpenAPI 3.1 description of the lifecycle API, built from Go
// values once at start. Operations and schemas are stated here and nowhere else; a
// test in lifecycle/api holds them against the route table. It imports nothing of ours.
package openapi
