// Package access decides who may enter a sandbox that demands access verification
// (contract 04 §6). It is a pure function from a Question to an Answer; whoever asks
// compares the secrets.
package access
