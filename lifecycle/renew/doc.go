// Package renew moves the expiry of sandboxes that are used: a touch in the request's
// path costs nanoseconds, the renewal itself is done by workers behind a bounded queue
// (contract 04 §9 and §10.5). It decides nothing about the new expiry; that is
// lifecycle.Service's part.
package renew
