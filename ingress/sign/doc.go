// Package sign makes and checks the signatures of signed routes (contract 04 §5). A
// signature opens one port of one sandbox until a moment in time, on every route form
// and for every path.
//
// Keys is the algorithm, bit for bit; Policy adds this server's own rule, that nothing is
// signed for ever. The package is pure: no clock, no state.
package sign
