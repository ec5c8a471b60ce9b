// Package snapshots keeps what sandboxes have on disk, for new sandboxes to begin with
// (contract 01 §12).
//
// A Catalogue holds the rows in a Store, takes snapshots with a bounded number of workers,
// and removes what nobody's row stands for. Which artifact a snapshot is, is the
// Snapshotter's business: an image on Docker. The row is written before the artifact is
// begun and dropped after it is removed, so that a crash in between leaves nothing that is
// not found again.
package snapshots
