// Command bench measures the data plane beside other proxies on the same machine, in the
// same run, and prints ratios: absolute times are context, never a verdict, and no test
// fails by them.
//
//	make bench                        every table
//	make bench BENCH='-only request'  one of them
//
// What is measured is the real opensandbox-server, as a gateway in front of a control
// server of this program's, whose sandboxes are addresses on loopback. Rows beside it:
// nginx, Caddy's own reverse_proxy, and httputil.ReverseProxy without Caddy. The load
// comes from wrk, the small answers from nginx; CPU is user and system time of the
// proxy's processes. Raw samples are written under bench/.
package main
