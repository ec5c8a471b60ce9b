// Package enginetest is a proxy on the engine's Unix socket for tests: it records the
// requests a server makes and breaks chosen ones, so that a test can count engine
// calls, or kill a server between any two of them, without a failpoint in the product.
//
//	proxy := enginetest.Start(t)
//	proxy.Fault(enginetest.Fault{Match: enginetest.CreateContainer, Nth: 1, Do: enginetest.DropAnswer})
//	... run a server with DOCKER_HOST=proxy.Host() ...
//	calls := proxy.Requests()
//
// It knows HTTP only, and nothing of the engine's types.
package enginetest
