// Package hostpath opens paths of the host for sandboxes, so that what was checked is what
// is mounted. A sandbox that may write next to a path can put a link in its place at any
// moment; so a path is walked without following links, the descriptor is kept, and a bind
// mount of the descriptor, in a folder that no sandbox sees, is what the engine is given
// (threat row K5).
package hostpath
