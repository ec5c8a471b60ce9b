package wire

// HasControl tells text with an ASCII control byte, which programs read differently.
func HasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
