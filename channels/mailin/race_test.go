//go:build race

package mailin_test

// slower is how much longer everything takes under the race detector.
const slower = 10
