// Package redislist carries accesses from gateways to lifecycle servers through a Redis
// list, as published gateways and servers do (contract 04 §9.3 and §9.4): a Publisher
// pushes on the left, a Consumer pops on the right. Nothing is acknowledged; an access
// that is lost is followed by another one while the sandbox is used.
//
// Redis is somebody else's: what comes from it is hostile, and it may be away. Whoever
// uses this package never waits for it in the path of a request.
package redislist
