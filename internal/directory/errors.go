package directory

import (
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// What a refused operation is refused for; test with errors.Is. The error itself is a *connector.Error around one of
// these, so that it carries the administrator's code (engine section 18), the detail and the cure.
var (
	ErrNotFound  = errors.New("not in the directory")
	ErrConflict  = errors.New("taken already")
	ErrInvalid   = errors.New("not accepted")
	ErrAmbiguous = errors.New("more than one object has this name")
	ErrPosition  = errors.New("the position is not one of this directory's feed, or too old")
)

// codeSingleValue and the next are codes of engine section 18 that only the directory uses.
const (
	codeSingleValue     = "SchemaPropertyCanOnlyAcceptValue"
	codeUnknownAttr     = "SchemaAttributeNotFound"
	codeUnresolved      = "UnableToResolveReferenceAttributeValue"
	codeInvalidSyntax   = "InvalidAttributeSyntax"
	codeDuplicateTarget = "DuplicateTargetEntries"
)

func notFound(op string, kind identity.Kind, key string) error {
	return &connector.Error{Kind: connector.KindNotFound, Op: op, Code: connector.CodeInvalidAnchor, Err: ErrNotFound,
		Detail: fmt.Sprintf("the directory has no %s %q", noun(kind), key)}
}

func invalid(op, code, detail, hint string) error {
	return &connector.Error{Kind: connector.KindInvalid, Op: op, Code: code, Detail: detail, Hint: hint, Err: ErrInvalid}
}

// noun is what a kind is called in a message.
func noun(kind identity.Kind) string {
	switch kind {
	case identity.User:
		return "user"
	case identity.Group:
		return "group"
	}
	return "object of type " + string(kind)
}
