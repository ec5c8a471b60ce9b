// Package pools keeps sandboxes that are started beforehand, so that a create that names
// a pool is answered without waiting for a container (contract 01 §13).
//
// A Set decides: which pools there are, how many members each should have, and whose a
// member is. The lifecycle Service makes, hands out and removes the sandboxes on its word.
// Pools and members are on disk before anybody relies on them; the Set's memory is the
// authority while the process lives. A member that was claimed never comes back.
//
// One goroutine refills and drains; Close ends it and waits for what it began.
package pools
