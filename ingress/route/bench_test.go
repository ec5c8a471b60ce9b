package route_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

var benchmarks = map[string]route.Request{
	"wildcard": {Method: "GET", Authority: uuid + "-8080.sb.example.com", Path: "/index.html"},
	"header":   {Method: "GET", Authority: "gw.example.com", Path: "/a", IngressTo: []string{uuid + "-8080"}},
	"uri":      {Method: "GET", Authority: "gw.example.com", Path: "/" + uuid + "/8080/a"},
	"direct":   {Method: "GET", Authority: "api.example.com:8080", Path: "/v1/sandboxes/" + uuid + "/proxy/44772/command"},
	"api":      {Method: "GET", Authority: "api.example.com", Path: "/v1/sandboxes/" + uuid},
	"signed":   {Method: "GET", Authority: "my-sandbox-8080-x2qxvk-8b6de077a.sb.example.com", Path: "/"},
	"hostile":  {Method: "GET", Authority: "api.example.com", Path: "/v1/sandboxes/../x"},
}

func TestClassifyDoesNotAllocate(t *testing.T) {
	tab := everything(t)
	for name, r := range benchmarks {
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = tab.Classify(r) }), name)
	}
}

func BenchmarkClassify(b *testing.B) {
	tab := everything(b)
	for name, r := range benchmarks {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = tab.Classify(r)
			}
		})
	}
}
