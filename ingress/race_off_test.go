//go:build !race

package ingress_test

const raceCosts = 0
