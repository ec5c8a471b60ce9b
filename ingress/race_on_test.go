//go:build race

package ingress_test

// What the race detector adds to the stacks that a WebSocket holds.
const raceCosts = 16 << 10
