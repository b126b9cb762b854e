package expr

import "sync"

// cache keeps what was compiled from a text that is not constant, such as a pattern taken from an
// attribute. It is emptied when full: expressions have few such texts.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[string]T
}

const cacheSize = 64

func (c *cache[T]) get(key string, compile func(string) (T, *Error)) (T, *Error) {
	c.mu.Lock()
	v, ok := c.entries[key]
	c.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := compile(key)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= cacheSize {
		c.entries = make(map[string]T)
	}
	c.entries[key] = v
	return v, nil
}

// constantOr gives a getter for what is compiled from argument i: once and for all if the argument is
// constant, else through a cache.
func constantOr[T any](constant *value, i int, compile func(string) (T, *Error)) func(a []value) (T, *Error) {
	if constant != nil && constant.k == kindText {
		v, err := compile(constant.s)
		return func([]value) (T, *Error) {
			if err != nil {
				return v, err.again().forArg(i)
			}
			return v, nil
		}
	}
	c := new(cache[T])
	return func(a []value) (T, *Error) {
		v, err := c.get(a[i].s, compile)
		if err != nil {
			err = err.forArg(i)
		}
		return v, err
	}
}
