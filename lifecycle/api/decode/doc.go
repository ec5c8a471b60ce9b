// Package decode reads JSON request bodies and query parameters the way the
// published clients expect them to be read (contract 01 §5.2): camelCase members
// with snake_case aliases, integers and booleans also as strings, null meaning
// absent. It collects every violation instead of stopping at the first, and never
// repeats the rejected input, which may be a credential.
//
// It is not a general JSON library: it knows nothing of Go structs, and its bounds
// (depth, number of values, number of reported problems) are set for API bodies.
// It depends on apierror alone.
package decode
