// Package gallery holds the application templates: for each application one data file that says how it is reached, what
// attributes its accounts have, what it can and cannot do, and a partial app file with the rules that fit most
// companies. A template is data over a connector; only a protocol needs code (design section 2).
//
// The package does not merge a template with an administrator's app file and knows no connector's settings (package
// appfile does). Adding an application is adding one file to apps; the tests of this package and of appfile hold every
// file to the form.
//
// Read template.go for what a template says, load.go for how the files are found, and apps/scim.yaml for an example.
package gallery
