// Package diagnostics tells people why a sandbox behaves as it does: what it wrote, what
// happened to it, and how its backend object looks (contract 01 §14). Everything in a
// report is for eyes alone. What sandboxes, images and backends say is bounded and made
// fit for a terminal; values of environment variables and tokens never appear.
package diagnostics
