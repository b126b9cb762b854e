package engine

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Every field of a task survives, also one that somebody adds and forgets in its code.
func TestATaskIsReadAsItWasWritten(t *testing.T) {
	want := new(task)
	n := 0
	fillAll(t, reflect.ValueOf(want).Elem(), &n)
	got, err := decodeTask(store.WorkItem{Doc: want.encode()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty, err := decodeTask(store.WorkItem{Doc: new(task).encode()})
	if diff := cmp.Diff(new(task), empty); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestValuesOfAnAccountKeepTheirTypes(t *testing.T) {
	want := &plan.Current{Read: true, Refs: map[string]string{"manager": "7"}, Values: map[string]any{
		"text": "ü", "yes": true, "no": false, "number": int64(-1 << 60), "fraction": 1.5, "day": time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
		"list": []any{"a", int64(1)}, "parts": map[string]any{"a": "b"}, "ref": identity.Ref{Kind: identity.User, Anchor: "9"},
	}}
	got, err := decodeCurrent(encodeCurrent(want))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestADamagedDocumentIsAnError(t *testing.T) {
	full := new(task)
	n := 0
	fillAll(t, reflect.ValueOf(full).Elem(), &n)
	good := full.encode()
	for i := range good {
		if _, err := decodeTask(store.WorkItem{Doc: good[:i]}); err == nil {
			t.Errorf("%d of %d bytes are no error", i, len(good))
		}
	}
	if _, err := decodeTask(store.WorkItem{Doc: append([]byte{versionTask + 1}, good[1:]...)}); err == nil {
		t.Error("another version is no error")
	}
	if _, err := decodeTask(store.WorkItem{Doc: append(good, 0)}); err == nil {
		t.Error("a byte too many is no error")
	}
}

// FuzzDecodeTask: any bytes are an error or a task that is written as bytes that give the same task.
func FuzzDecodeTask(f *testing.F) {
	full := new(task)
	n := 0
	fillAll(f, reflect.ValueOf(full).Elem(), &n)
	f.Add(full.encode())
	f.Add(new(task).encode())
	f.Add([]byte{versionTask, 0, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := decodeTask(store.WorkItem{Doc: doc})
		if err != nil {
			return
		}
		again, err := decodeTask(store.WorkItem{Doc: got.encode()})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(again) && cmp.Diff(got, again) != "" {
			t.Fatalf("%v: %s", err, cmp.Diff(got, again))
		}
	})
}

// fillAll gives every part of a value a value of its own.
func fillAll(t testing.TB, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Interface:
		v.Set(reflect.ValueOf(fmt.Sprint("value ", *n)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillAll(t, v.Index(0), n)
		fillAll(t, v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fillAll(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillAll(t, key, n)
		fillAll(t, value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 9, 30, *n, 1000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fillAll(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a %s is not known here", v.Type())
	}
}
