package lifecycle

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// PatchMetadata merges patch into a sandbox's metadata: nil deletes a key, a string
// sets it, keys not named stay (contract 01 §8). It is stored when this returns.
func (s *Service) PatchMetadata(ctx context.Context, id string, patch map[string]*string) (Sandbox, error) {
	u, leave, err := s.takeForWrite(ctx, id)
	if err != nil {
		return Sandbox{}, err
	}
	defer leave()
	if err := checkPatch(patch); err != nil {
		return Sandbox{}, err
	}
	v := u.view.Load()
	record := v.record
	record.Metadata = mergePatch(record.Metadata, patch)
	if len(record.Metadata) > maxMetadata && len(record.Metadata) > len(v.record.Metadata) {
		return Sandbox{}, invalidLabel("The sandbox would have more than %d metadata entries.", maxMetadata)
	}
	if !maps.Equal(record.Metadata, v.record.Metadata) {
		if err := s.save(ctx, record); err != nil {
			return Sandbox{}, err
		}
		u.view.Store(v.withRecord(record))
		s.note(u, occurredMetadata, "A client changed its metadata.")
	}
	return u.view.Load().sandbox().clone(), nil
}

// checkPatch applies the rules to what is set; a key that is only deleted may be
// anything but reserved. Reserved keys go first and have a code of their own here.
func checkPatch(patch map[string]*string) error {
	set := make(map[string]string, len(patch))
	for _, key := range sortedKeys(patch) {
		if strings.HasPrefix(key, wire.LabelPrefix) {
			return apierror.New(http.StatusBadRequest, codeReservedLabel, "Metadata key %q uses the reserved prefix %q.", apierror.Clip(key), wire.LabelPrefix)
		}
		if value := patch[key]; value != nil {
			set[key] = *value
		}
	}
	return checkLabels(set)
}

// mergePatch is RFC 7396 on a flat map; it leaves old alone.
func mergePatch(old map[string]string, patch map[string]*string) map[string]string {
	merged := make(map[string]string, len(old)+len(patch))
	maps.Copy(merged, old)
	for key, value := range patch {
		if value == nil {
			delete(merged, key)
		} else {
			merged[key] = *value
		}
	}
	return merged
}
