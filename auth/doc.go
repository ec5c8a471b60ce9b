// Package auth decides who may call the lifecycle API: the API keys, the rules for
// browsers, and the verdict that handlers behind it rely on. It acts on the route
// verdict of ingress/route and has no path pattern of its own (threat rows R1, R2).
package auth
