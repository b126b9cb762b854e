// Package packed is the compact byte form of documents that are kept in great numbers: what a cycle remembers of an
// object, what is known of an account, what the provisioning log tells. It is several times quicker to write and read
// than JSON, and a third of its size.
//
// A document lists its fields once, and that list serves both ways:
//
//	func (x *example) code(c *packed.Coder) { c.Text(&x.Name); c.Flags(&x.Good, &x.Ready) }
//
//	doc := packed.Pack(version, x.code)
//	err := packed.Unpack(version, doc, x.code)
//
// The form says nothing of itself but its version: a change of the list is a new version. Texts that were read are parts
// of one string, the whole document.
package packed
