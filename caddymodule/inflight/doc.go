// Package inflight counts what is under way across configurations, for a process that
// wants to let it finish before it ends.
package inflight
