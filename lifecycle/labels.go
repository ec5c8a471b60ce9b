package lifecycle

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// Label grammar (contract 01 §8.2). \z and not $: a trailing newline must not pass.
var (
	labelPrefix = regexp.MustCompile(`\A(?:[a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?\z`)
	labelName   = regexp.MustCompile(`\A[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z`)
)

const (
	maxLabelPrefix = 253
	maxLabelName   = 63
	maxLabelValue  = 63
	// maxMetadata is how many entries a sandbox may have.
	maxMetadata = 128
)

// checkLabels applies the label rules to every entry, in key order so that the same
// request always gets the same answer.
func checkLabels(m map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := checkLabelKey(key); err != nil {
			return err
		}
		if err := checkLabelValue(key, m[key]); err != nil {
			return err
		}
	}
	return nil
}

func checkLabelKey(key string) error {
	if strings.HasPrefix(key, wire.LabelPrefix) {
		return invalidLabel("Metadata key %q uses the reserved prefix %q.", apierror.Clip(key), wire.LabelPrefix)
	}
	name := key
	if prefix, rest, found := strings.Cut(key, "/"); found {
		name = rest
		if len(prefix) > maxLabelPrefix || !labelPrefix.MatchString(prefix) {
			return invalidLabel("Metadata key %q: the part before the slash must be a lower-case DNS name of at most %d characters.", apierror.Clip(key), maxLabelPrefix)
		}
	}
	if len(name) > maxLabelName || !labelName.MatchString(name) {
		return invalidLabel("Metadata key %q: the name must be 1 to %d letters, digits, '-', '_' or '.', with a letter or digit at both ends.", apierror.Clip(key), maxLabelName)
	}
	return nil
}

// checkLabelValue never repeats the value: it may be anything a client pasted.
func checkLabelValue(key, value string) error {
	if value == "" || len(value) <= maxLabelValue && labelName.MatchString(value) {
		return nil
	}
	return invalidLabel("The value of metadata key %q must be empty or at most %d letters, digits, '-', '_' or '.', with a letter or digit at both ends.", apierror.Clip(key), maxLabelValue)
}

func invalidLabel(format string, args ...any) *apierror.Error {
	return apierror.New(http.StatusBadRequest, codeInvalidLabel, format, args...)
}
