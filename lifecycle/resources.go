package lifecycle

import (
	"math"
	"math/big"
	"regexp"
	"strconv"

	"github.com/opensandbox-edge/edge/apierror"
)

// Quantity grammar (contract 01 §6.5), widened by decimals and the peta units. The
// length bound keeps a number of a million digits away from the arithmetic.
var (
	memoryGrammar = regexp.MustCompile(`\A(\d{1,19}(?:\.\d{1,18})?)(b|[kmgtp][bi]?)?\z`)
	cpuGrammar    = regexp.MustCompile(`\A(\d{1,12}(?:\.\d{0,18})?|\.\d{1,18})(m)?\z`)
	gpuGrammar    = regexp.MustCompile(`\A\d{1,4}\z`)
)

var memoryUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1e3, "kb": 1e3, "ki": 1 << 10,
	"m": 1e6, "mb": 1e6, "mi": 1 << 20,
	"g": 1e9, "gb": 1e9, "gi": 1 << 30,
	"t": 1e12, "tb": 1e12, "ti": 1 << 40,
	"p": 1e15, "pb": 1e15, "pi": 1 << 50,
}

// parseLimits reads the limits a runtime enforces. A limit that cannot be understood
// is an error rather than no limit. ignored names the keys no runtime of ours knows;
// published clients send some.
func parseLimits(resources map[string]string) (limits Limits, ignored []string, err error) {
	for _, key := range sortedKeys(resources) {
		value := resources[key]
		ok := true
		switch key {
		case "memory":
			limits.MemoryBytes, ok = ParseMemory(value)
		case "cpu":
			limits.NanoCPUs, ok = ParseCPU(value)
		case "gpu":
			limits.GPUs, ok = parseGPUs(normal(value))
		default:
			ignored = append(ignored, key)
		}
		if !ok {
			return Limits{}, nil, invalid("resourceLimits.%s: %q is not a valid limit; use for example %s.", key, apierror.Clip(resources[key]), limitExamples[key])
		}
	}
	return limits, ignored, nil
}

var limitExamples = map[string]string{
	"memory": `"512Mi" or "1.5Gi"`,
	"cpu":    `"500m" or "1.5"`,
	"gpu":    `"1" or "all"`,
}

// ParseMemory reads a quantity such as "512Mi" or "1.5Gi" as bytes; 0 means unlimited.
func ParseMemory(s string) (int64, bool) {
	m := memoryGrammar.FindStringSubmatch(normal(s))
	if m == nil {
		return 0, false
	}
	return scaled(m[1], memoryUnits[m[2]])
}

// ParseCPU reads cores or millicores, such as "1.5" or "500m", as 10⁻⁹ cores, more than none.
func ParseCPU(s string) (int64, bool) {
	m := cpuGrammar.FindStringSubmatch(normal(s))
	if m == nil {
		return 0, false
	}
	unit := int64(1e9)
	if m[2] == "m" {
		unit = 1e6
	}
	n, ok := scaled(m[1], unit)
	return n, ok && n > 0
}

// parseGPUs reads a count; "all" is -1.
func parseGPUs(s string) (int, bool) {
	if s == "all" {
		return -1, true
	}
	if !gpuGrammar.MatchString(s) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// scaled multiplies a decimal by a unit exactly, rounding down.
func scaled(decimal string, unit int64) (int64, bool) {
	r, ok := new(big.Rat).SetString(decimal)
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt64(unit))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() || n.Int64() == math.MaxInt64 {
		return 0, false
	}
	return n.Int64(), true
}
