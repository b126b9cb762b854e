package job

import "strings"

// Nearest returns the candidate that name was most likely meant to be, for "did you mean" hints, or "" when none comes
// near: at most one letter in three may be wrong, missing, or in the wrong place, letter case aside.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", len([]rune(name))/3+1
	if len([]rune(name)) < 3 {
		bestDistance = 1 // of so short a name only the letter case may differ
	}
	for _, c := range candidates {
		if c == name {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, change, or swap with their neighbour to make a of b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := range x {
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			d := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(x)][len(y)]
}
