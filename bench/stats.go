package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// median of a list that is not empty; of an even number, the middle of the two in the middle.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// quantile of a list that is not empty, by the nearest rank.
func quantile[T cmp.Ordered](list []T, q float64) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// spread is how far apart a list's ends are, as a share of the middle.
func spread(list []float64) float64 {
	if len(list) < 2 {
		return 0
	}
	return (slices.Max(list) - slices.Min(list)) / median(list)
}

// figures are a list as text.
func figures(list []float64, format string) string {
	var texts []string
	for _, f := range list {
		texts = append(texts, fmt.Sprintf(format, f))
	}
	return strings.Join(texts, " ")
}
