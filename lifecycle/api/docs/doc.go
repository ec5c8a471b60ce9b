// Package docs holds the documentation pages of the API: Swagger UI at /docs and
// ReDoc at /redoc, with every script and style embedded, so that they work offline
// and under a strict Content-Security-Policy (contract 01 §19.24, threat W6). The
// pages read openapi.json beside them and nothing else; they take no setting from
// the URL and keep no key.
//
// Swagger UI comes from the module github.com/swaggest/swgui. ReDoc is the file
// bundles/redoc.standalone.js of the npm package redoc, compressed; assets/README.md
// names the version and how to renew it. The package imports nothing of ours.
package docs
