package scim

// UserDefinition is the User of RFC 7643 section 4.1 with the enterprise extension of section 4.3, as section 8.7.1
// defines them.
func UserDefinition() *Definition {
	return NewDefinition("User", "/Users", UserSchema(), Extension{Schema: EnterpriseUserSchema()})
}

// GroupDefinition is the Group of RFC 7643 section 4.2. displayName is required and unique, for clients match
// groups by it (scim.R39).
func GroupDefinition() *Definition {
	return NewDefinition("Group", "/Groups", GroupSchema())
}

// attribute makes a definition with the usual properties; the options change them.
func attribute(t DataType, name, description string, options ...func(*Attribute)) Attribute {
	a := Attribute{Name: name, Type: t, Description: description, Mutability: ReadWrite, Returned: ReturnedDefault,
		Uniqueness: UniqueNone}
	for _, o := range options {
		o(&a)
	}
	return a
}

func text(name, description string, options ...func(*Attribute)) Attribute {
	return attribute(String, name, description, options...)
}

func list(a *Attribute)      { a.MultiValued = true }
func required(a *Attribute)  { a.Required = true }
func exact(a *Attribute)     { a.CaseExact = true }
func readOnly(a *Attribute)  { a.Mutability = ReadOnly }
func immutable(a *Attribute) { a.Mutability = Immutable }
func unique(a *Attribute)    { a.Uniqueness = UniqueServer }
func always(a *Attribute)    { a.Returned = ReturnedAlways }

func secret(a *Attribute) {
	a.Mutability, a.Returned = WriteOnly, ReturnedNever
}

func refers(types ...string) func(*Attribute) {
	return func(a *Attribute) { a.ReferenceTypes = types; a.CaseExact = true }
}

func sub(attributes ...Attribute) func(*Attribute) {
	return func(a *Attribute) { a.SubAttributes = attributes }
}

func canonical(values ...string) func(*Attribute) {
	return func(a *Attribute) { a.CanonicalValues = values }
}

// plural is a multi-valued complex attribute with the usual sub-attributes of RFC 7643 section 2.4.
func plural(name, description string, value Attribute, types ...string) Attribute {
	return attribute(Complex, name, description, list, sub(
		value,
		text("display", "Name of the value for people."),
		text("type", "What the value is used for.", canonical(types...)),
		attribute(Boolean, "primary", "Marks the preferred value; at most one has it."),
	))
}

// commonAttributes are those every resource has (RFC 7643 section 3.1).
func commonAttributes() []Attribute {
	return []Attribute{
		attribute(Reference, "schemas", "Schemas whose attributes the resource holds.", list, always, refersToURI),
		text("id", "Identifier given by the server.", readOnly, exact, unique, always),
		text("externalId", "Identifier given by the client.", exact),
		attribute(Complex, "meta", "Data about the resource itself.", readOnly, sub(
			text("resourceType", "Name of the resource type.", readOnly, exact),
			attribute(DateTime, "created", "When the resource was made.", readOnly),
			attribute(DateTime, "lastModified", "When the resource was last changed.", readOnly),
			attribute(Reference, "location", "Address of the resource.", readOnly, refersToURI),
			text("version", "Version of the resource, as in its ETag.", readOnly, exact),
		)),
	}
}

// refersToURI marks identifiers; schema URIs compare without regard to case (RFC 7643 section 2.1 treats them as
// names), addresses with it.
func refersToURI(a *Attribute) {
	a.ReferenceTypes = []string{"uri"}
	a.CaseExact = a.Name != "schemas"
}

// UserSchema is urn:ietf:params:scim:schemas:core:2.0:User.
func UserSchema() Schema {
	return Schema{ID: UserURN, Name: "User", Description: "User account", Attributes: []Attribute{
		text("userName", "Name the user signs in with.", required, unique),
		attribute(Complex, "name", "Parts of the user's name.", sub(
			text("formatted", "Whole name as displayed."),
			text("familyName", "Family name."),
			text("givenName", "Given name."),
			text("middleName", "Middle names."),
			text("honorificPrefix", "Title before the name."),
			text("honorificSuffix", "Suffix after the name."),
		)),
		text("displayName", "Name shown to other people."),
		text("nickName", "Casual name."),
		attribute(Reference, "profileUrl", "Address of the user's profile page.", refers("external")),
		text("title", "Job title."),
		text("userType", "Relation to the organisation, such as Employee."),
		text("preferredLanguage", "Preferred languages, as in Accept-Language."),
		text("locale", "Region for dates, numbers and currency."),
		text("timezone", "Time zone, as in Europe/Berlin."),
		attribute(Boolean, "active", "Whether the account may be used."),
		text("password", "Password in clear text; never given back.", secret),
		plural("emails", "E-mail addresses.", text("value", "E-mail address."), "work", "home", "other"),
		plural("phoneNumbers", "Telephone numbers.", text("value", "Telephone number."),
			"work", "home", "mobile", "fax", "pager", "other"),
		plural("ims", "Instant messaging addresses.", text("value", "Messaging address."),
			"aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
		plural("photos", "Pictures of the user.",
			attribute(Reference, "value", "Address of a picture.", refers("external")), "photo", "thumbnail"),
		attribute(Complex, "addresses", "Postal addresses.", list, sub(
			text("formatted", "Whole address as printed."),
			text("streetAddress", "Street, house number, apartment."),
			text("locality", "City or town."),
			text("region", "State or region."),
			text("postalCode", "Postal code."),
			text("country", "Country, two letters of ISO 3166-1."),
			text("type", "What the address is used for.", canonical("work", "home", "other")),
			attribute(Boolean, "primary", "Marks the preferred address; at most one has it."),
		)),
		attribute(Complex, "groups", "Groups the user belongs to.", list, readOnly, sub(
			text("value", "Identifier of the group.", readOnly),
			attribute(Reference, "$ref", "Address of the group.", readOnly, refers("User", "Group")),
			text("display", "Name of the group.", readOnly),
			text("type", "How the user belongs to it.", readOnly, canonical("direct", "indirect")),
		)),
		plural("entitlements", "Things the user is entitled to.", text("value", "Entitlement.")),
		plural("roles", "Roles of the user.", text("value", "Role.")),
		plural("x509Certificates", "Certificates of the user.",
			attribute(Binary, "value", "Certificate in DER, base64.", exact)),
	}}
}

// EnterpriseUserSchema is the enterprise extension of User.
func EnterpriseUserSchema() Schema {
	return Schema{ID: EnterpriseUserURN, Name: "EnterpriseUser", Description: "Enterprise user", Attributes: []Attribute{
		text("employeeNumber", "Identifier given by the organisation."),
		text("costCenter", "Cost centre."),
		text("organization", "Organisation."),
		text("division", "Division."),
		text("department", "Department."),
		attribute(Complex, "manager", "The user's manager.", sub(
			text("value", "Identifier of the manager."),
			attribute(Reference, "$ref", "Address of the manager.", refers("User")),
			text("displayName", "Name of the manager.", readOnly),
		)),
	}}
}

// GroupSchema is urn:ietf:params:scim:schemas:core:2.0:Group.
func GroupSchema() Schema {
	return Schema{ID: GroupURN, Name: "Group", Description: "Group", Attributes: []Attribute{
		text("displayName", "Name of the group.", required, unique),
		attribute(Complex, "members", "Members of the group.", list, sub(
			text("value", "Identifier of the member.", immutable),
			attribute(Reference, "$ref", "Address of the member.", immutable, refers("User", "Group")),
			text("display", "Name of the member.", immutable),
			text("type", "Resource type of the member.", immutable, canonical("User", "Group")),
		)),
	}}
}

// usualSub is the type of a sub-attribute of an attribute no schema describes (RFC 7643 section 2.4).
func usualSub(name string) *Attribute {
	if len(name) == len("primary") && FoldKey(name) == "primary" {
		a := attribute(Boolean, "primary", "")
		return &a
	}
	return nil
}
