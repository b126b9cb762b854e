package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readRecords(t *testing.T, dir, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records[1:] // without the header
}

func TestCompanyIsATreeOfManagersWithEvenGroups(t *testing.T) {
	dir := t.TempDir()
	s := size{Users: 500, Groups: 7, Members: 210}
	if err := writeCompany(dir, s); err != nil {
		t.Fatal(err)
	}
	managers := map[string]string{}
	keys := []string{}
	for _, p := range readRecords(t, dir, peopleFile) {
		keys = append(keys, p[0])
		managers[p[0]] = p[5]
	}
	if len(managers) != s.Users || !slices.IsSorted(keys) {
		t.Fatalf("%d people with different keys, sorted %v", len(managers), slices.IsSorted(keys))
	}
	heads, late, staff := 0, 0, map[string]int{}
	for key, manager := range managers {
		if manager == "" {
			heads++
			continue
		}
		staff[manager]++
		if manager > key {
			late++
		}
		steps := 0
		for up := key; up != ""; up = managers[up] {
			if _, ok := managers[up]; !ok {
				t.Fatalf("%s: manager %s is not in the file", key, up)
			}
			if steps++; steps > 5 { // 1 + 8 + 64 + 512 people fill four levels
				t.Fatalf("%s is more than %d levels down", key, steps)
			}
		}
	}
	if heads != 1 {
		t.Errorf("%d people without a manager", heads)
	}
	if late < s.Users/10 {
		t.Errorf("%d managers come after their reports; the order of the file gives the tree away", late)
	}
	for manager, n := range staff {
		if n > reports {
			t.Errorf("%s has %d reports", manager, n)
		}
	}
	sizes := map[string]int{}
	seen := map[[2]string]bool{}
	for _, m := range readRecords(t, dir, membersFile) {
		pair := [2]string{m[0], m[1]}
		if _, ok := managers[m[1]]; !ok || seen[pair] {
			t.Errorf("member %v is unknown or listed twice", pair)
		}
		seen[pair] = true
		sizes[m[0]]++
	}
	want := map[string]int{"G0": 30, "G1": 30, "G2": 30, "G3": 30, "G4": 30, "G5": 30, "G6": 30}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Errorf("members by group (-want +got):\n%s", diff)
	}
	again := t.TempDir()
	if err := writeCompany(again, s); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{peopleFile, groupsFile, membersFile} {
		if diff := cmp.Diff(readRecords(t, dir, name), readRecords(t, again, name)); diff != "" {
			t.Errorf("%s differs the second time:\n%s", name, diff)
		}
	}
}

func TestCompanyWithoutGroupsHasNoGroupFiles(t *testing.T) {
	dir := t.TempDir()
	s := size{Users: 3}
	if err := writeCompany(dir, s); err != nil {
		t.Fatal(err)
	}
	if err := writeApp(dir, s, "http://127.0.0.1:1/scim/v2"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, appFile), filepath.Join(dir, peopleFile)}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(dir, appFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "Group") || !strings.Contains(string(text), "url: http://127.0.0.1:1/scim/v2\n") {
		t.Errorf("app file:\n%s", text)
	}
}

func TestLaterFilesTellTheNewsAndNothingElse(t *testing.T) {
	s := size{Users: 1000}
	first, later := t.TempDir(), t.TempDir()
	if err := writeCompany(first, s); err != nil {
		t.Fatal(err)
	}
	if err := writeLater(later, s, news{changed: 10, title: "Foreman", left: 30}); err != nil {
		t.Fatal(err)
	}
	before, managed := map[string][]string{}, map[string]bool{}
	for _, p := range readRecords(t, first, peopleFile) {
		before[p[0]], managed[p[5]] = p, true
	}
	changed := 0
	after := readRecords(t, later, peopleFile)
	for _, p := range after {
		was := before[p[0]]
		delete(before, p[0])
		if diff := cmp.Diff(was, p); diff == "" {
			continue
		}
		changed++
		was[3] = "Foreman"
		if diff := cmp.Diff(was, p); diff != "" {
			t.Errorf("more than the title of %s has changed (-first +later):\n%s", p[0], diff)
		}
	}
	if changed != 10 || len(before) != 30 {
		t.Errorf("%d have changed and %d have left, want 10 and 30", changed, len(before))
	}
	for key := range before {
		if managed[key] {
			t.Errorf("%s has left and is somebody's manager, so that more people change", key)
		}
	}
}
