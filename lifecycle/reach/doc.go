// Package reach says which addresses and hosts this server lets itself be led to by
// what a client, an image or a backend says (threat row K7). It is the one table for
// every such decision: sandboxes, published ports and registries.
package reach
