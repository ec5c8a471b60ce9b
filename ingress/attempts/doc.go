// Package attempts bounds the guessing of signatures (threat row A4). A signature shows 32
// bits of a digest, and whoever guesses chooses the expiry; a plain lock-out would let
// anybody close a sandbox to everybody.
//
// Failures are counted per client and per sandbox. Where a budget is spent, only a few new
// signatures are told right from wrong, in turns that are fair between networks, and
// signatures that were right before keep passing. Memory is bounded throughout; what is
// forgotten under pressure is forgotten in a guesser's favour only as far as the
// bounds say.
package attempts
