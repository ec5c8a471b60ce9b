// Package architecture holds no code, only the test that keeps the import rules of
// docs/concepts/design.md true.
package architecture
