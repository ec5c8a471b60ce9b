// Package renew moves the deadlines of sandboxes that are used: a touch in the request's
// path costs nanoseconds, the renewal itself is done by workers behind a bounded queue
// (contract 04 §9 and §10.5). It decides nothing about the new deadline; that is
// lifecycle.Service's part.
//
// Accesses that other gateways saw arrive through Redis: package intent has the wire
// format, package redis publishes and consumes.
package renew
