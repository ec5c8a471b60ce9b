// Package store keeps sandbox records in a SQLite file, which it may share with the
// reference server: that one's table of snapshots is ours, too, in its format; all others carry the prefix "edge_".
//
// Every write is on disk when it returns. The file is for its owner's eyes and for one
// process at a time. The package depends on lifecycle for the record's shape and knows
// nothing of its meaning.
package store
