package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatistics(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
	require.InDelta(t, 3, median([]float64{5, 1, 3}), 0)
	require.Equal(t, 99, quantile([]int{100, 99, 1, 50}, 0.75))
	require.Equal(t, 100, quantile([]int{100, 99, 1, 50}, 1))
	require.InDelta(t, 0.5, spread([]float64{10, 12, 15}), 0.1)
}

func TestARowIsChosenByItsName(t *testing.T) {
	t.Parallel()
	all, err := choose("")
	require.NoError(t, err)
	require.Len(t, all, len(rows())-1, "all but the one that is only run when named")
	two, err := choose("scale,calls")
	require.NoError(t, err)
	require.Equal(t, "scale", two[0].name)
	_, err = choose("speed")
	require.ErrorContains(t, err, `no row is called "speed"`)
}

func TestTheSkeletonIsJudgedByMedians(t *testing.T) {
	t.Parallel()
	c := []measured{{10, 100}, {12, 90}, {11, 95}}
	require.Equal(t, pass, compare(c, []measured{{10, 100}, {9, 105}, {30, 10}}, 0).verdict)
	require.Equal(t, miss, compare(c, []measured{{8, 100}, {9, 105}, {30, 10}}, 0).verdict)
	require.Contains(t, compare(c, c, 0.5).spread, "void")
}
