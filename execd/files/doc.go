// Package files is what the daemon does with the sandbox's file system (contract
// 06 §9–10): describe, list, search, change, move, write whole files atomically,
// and read parts of them. It knows nothing of HTTP; paths are expanded already.
//
// Everything found on disk is hostile: only regular files are opened for content
// and never in a way that can block, and no write follows a symbolic link at the
// end of a path unless it was asked to.
package files
