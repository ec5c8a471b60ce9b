// Command bench measures the data plane beside other proxies on the same machine, creates
// and deletes beside the bare container engine, and the API; in the same run, and prints
// ratios: absolute times are context, never a verdict, and no test fails by them.
//
//	make bench                        every table
//	make bench BENCH='-only request'  one of them
//
// What is measured is the real opensandbox-server: for requests as a gateway in front of a
// control server of this program's, whose sandboxes are addresses on loopback; for creates
// with a real engine, without which that table is left out; for the API with a stand-in
// that has more sandboxes than fit on the machine. Rows beside requests: nginx, Caddy's own
// reverse_proxy, and httputil.ReverseProxy without Caddy. The load comes from wrk, the
// small answers from nginx; CPU is user and system time of the proxy's processes. Raw
// samples are written under bench/.
package main
