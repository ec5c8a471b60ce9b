// Package redistest runs a real redis-server for tests: Debian's, as `make machine`
// installs it with redis-tools, which starts no service.
package redistest
