package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// litmosCustomField is an advanced custom field of the site.
type litmosCustomField struct {
	name     string
	required bool
}

func (f litmosCustomField) sameName(other litmosCustomField) bool { return f.name == other.name }

// requiredSuffix marks a mandatory field in Config.CustomFields.
const requiredSuffix = ":required"

func litmosCustomFields(names []string) []litmosCustomField {
	var fields []litmosCustomField
	for _, name := range names {
		name, required := strings.CutSuffix(name, requiredSuffix)
		fields = append(fields, litmosCustomField{name: name, required: required})
	}
	return fields
}

func (u *litmosUser) customJSON() []byte {
	data, err := json.Marshal(u.custom)
	if err != nil {
		return []byte("{}") // texts can always be written
	}
	return data
}

// getCustomFields is GET /users/{id}/usercustomfields: every advanced field of the site, with the user's value.
func (c *litmosCall) getCustomFields() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	if c.json {
		items := []litmosItem{}
		for _, f := range c.app.fields {
			items = append(items, litmosItem{fields: []litmosValue{{name: f.name, text: u.custom[f.name]}}})
		}
		return c.answerAll("", items)
	}
	b := []byte("<UserCustomField>")
	for _, f := range c.app.fields {
		b = append(b, `<Parameter fieldname="`...)
		b = appendXMLText(b, f.name)
		b = append(b, `">`...)
		b = appendXMLText(b, u.custom[f.name])
		b = append(b, "</Parameter>"...)
	}
	return c.write(http.StatusOK, "application/xml; charset=utf-8", append(b, "</UserCustomField>"...))
}

// setCustomFields is POST /users/{id}/usercustomfields. Fields that are not named keep their value.
func (c *litmosCall) setCustomFields() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	in, err := c.customInput()
	if err != nil {
		return err
	}
	for name := range in {
		if !slices.ContainsFunc(c.app.fields, func(f litmosCustomField) bool { return f.name == name }) {
			return litmosRefusal(http.StatusNotFound, "the site has no custom field %s", name)
		}
	}
	for _, f := range c.app.fields {
		value, sent := in[f.name]
		if !sent {
			value = u.custom[f.name]
		}
		if f.required && value == "" {
			return litmosRefusal(http.StatusNotFound, "value required for %s", f.name)
		}
	}
	for name, value := range in {
		if u.custom[name] = value; value == "" {
			delete(u.custom, name)
		}
	}
	u.updated = c.now
	return c.done(http.StatusOK)
}

// customInput reads the values: in JSON a list of objects, in XML elements with a fieldname below either of the two
// roots in circulation.
func (c *litmosCall) customInput() (litmosInput, error) {
	in := litmosInput{}
	if c.sendsXML() {
		root, err := parseElement(c.body)
		if err != nil || root.name != "UserCustomField" && root.name != "ArrayOfparameter" {
			return nil, litmosRefusal(http.StatusBadRequest, "the body is not a UserCustomField in XML")
		}
		for _, child := range root.children {
			if !strings.EqualFold(child.name, "parameter") || child.field == "" {
				return nil, litmosRefusal(http.StatusBadRequest, "%s is not a Parameter with a fieldname", child.name)
			}
			in[child.field] = child.text
		}
		return in, nil
	}
	list, err := c.many("custom fields", "")
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		for name, value := range one {
			in[name] = value
		}
	}
	return in, nil
}
