package route

// Shown is the verdict without its second reading, for comparison.
func (v Verdict) Shown() Verdict {
	v.plain = reading{}
	return v
}
