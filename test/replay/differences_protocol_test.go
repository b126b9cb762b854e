package replay

func inMessages() []explanation {
	const messages, discovery = "Messages and credentials", "Discovery"
	config := func(name, sandbox, other string) []pattern {
		return field(name, sandbox, other, discovery, "what the server can do")
	}
	return []explanation{
		{"Bodies of another content type", sandboxRight,
			"A body that is neither SCIM nor JSON by its header is not read: 415 (RFC 9110, section 15.5.16; RFC 7644, section 3.8 for the types that are). scimmy takes it for an empty one and misses the user name in it. A body without the header is taken unless strict.",
			together(status("415", "400 invalidValue", messages, "text/plain", "a form"),
				strict(status("415", "400 invalidValue", messages, "no content type")),
				lax(status("201", "400 invalidValue", messages, "no content type")),
				status("415", "400 invalidSyntax", messages, "a PATCH as text/plain"))},
		{"Malformed JSON", sandboxRight,
			"The error type is invalidSyntax, in a SCIM error message (RFC 7644, section 3.12). scimmy gives no type, and calls the message application/json.",
			together(status("400 invalidSyntax", "400", messages, "malformed JSON", "a text instead of an object", "null instead of an object", "malformed JSON in a PATCH"),
				field("Content-Type", applicationSCIM, "application/json", messages, "malformed JSON", "a text instead of an object", "null instead of an object", "malformed JSON in a PATCH"))},
		{"No body", bothRight,
			"An empty text is no JSON object, and a user without userName lacks what is required: invalidSyntax and invalidValue both apply (RFC 7644, section 3.12).",
			status("400 invalidSyntax", "400 invalidValue", messages, "no body")},
		{"A name twice in an object", bothRight,
			"What an object means that has a name twice is undefined (RFC 8259, section 4). The sandbox refuses it, scimmy takes the last.",
			status("400 invalidSyntax", "201", messages, "a name twice")},
		{"A version that has passed", bothRight,
			"The sandbox, which has versions, refuses a change of one that is not the present one (RFC 7644, section 3.14); scimmy has none and ignores the header.",
			together(status("412", "200", messages, "a version that is not the present one"),
				field("then title", "Engineer", "Boss", messages, "a version that is not the present one"))},
		{"What the servers can do", bothRight,
			"Sorting, bulk requests and versions are optional; each server says what it has (RFC 7643, section 5).",
			together(config("sort.supported", "false", "true"), config("bulk.supported", "false", "true"), config("bulk.maxOperations", "0", "1000"),
				config("etag.supported", "true", "false"), config("documentationUri", somehow, absent),
				config("authenticationSchemes[1].name", "Bearer token", "OAuth Bearer Token"), config("authenticationSchemes[1].primary", "true", absent),
				config("authenticationSchemes[1].specUri", absent, somehow))},
		{"Characteristics that say nothing", bothRight,
			"caseExact and uniqueness mean nothing for Booleans and complex attributes, and a list of canonical values may be empty or missing (RFC 7643, section 7). The sandbox writes the defaults, scimmy leaves them out.",
			[]pattern{{"GET /Schemas", always, schemaField("caseExact"), "false", absent}, {"GET /Schemas", always, schemaField("uniqueness"), "none", absent},
				{"GET /Schemas", always, schemaField("canonicalValues"), absent, "[]"}}},
		{"Case of references", bothRight,
			"References are case exact (RFC 7643, section 2.3.7), as the sandbox has it. The schemas that the RFC prints say otherwise (RFC 7643, section 8.7.1), which scimmy follows.",
			[]pattern{{"GET /Schemas", always, schemaField("caseExact"), "true", "false"}}},
		{"Unique names of groups in the schema", bothRight,
			"The sandbox announces what it does, see the names that are taken; the characteristic is the server's choice (RFC 7643, section 7).",
			[]pattern{{"GET /Schemas", always, schemaField("uniqueness"), "server", "none"}}},
		{"Optional endpoints", bothRight,
			"The sandbox answers 501 where it does not offer an operation (RFC 7644, section 3.12). scimmy offers queries by POST and bulk requests; its /Me looks for the user that the token belongs to, and there is none.",
			together(status("501", "404", discovery, "the user who asks"), status("501", "200", discovery, "a query by POST", "many requests in one"))},
	}
}

// schemaField is an expression for a characteristic of any attribute in a schema, or in a list of schemas.
func schemaField(characteristic string) string {
	return `/(Resources\[[^\]]*\]\.)?attributes\[[^\]]*\](\.subAttributes\[[^\]]*\])?\.` + characteristic + `/`
}

func inDeviations() []explanation {
	const deviations = "Deviations that well-known clients send"
	title := func(sandbox, other string, names ...string) []pattern {
		return field("then title", sandbox, other, deviations, names...)
	}
	return []explanation{
		{"Texts for Booleans", onPurpose,
			"A Boolean is true or false, not a text (RFC 7643, section 2.3.2). The reference service sends texts unless told otherwise, so the sandbox takes them unless strict.",
			together(lax(status("201", "400 invalidValue", deviations, "a user with the text True", "a primary mark with the text True")),
				lax(status("200", "400 invalidValue", deviations, "disable with the text False", "disable without path, with the text False")),
				lax(field("then active", "false", "true", deviations, "disable with the text False", "disable without path, with the text False")))},
		{"Paths as names within a value", sandboxRight,
			"Without a path, the value is an object of attributes as in a resource (RFC 7644, section 3.5.2.1), and a resource has no attribute named name.familyName. The reference service sends such names; scimmy takes them, and so does the sandbox unless strict.",
			together(strict(status("400 invalidPath", "200", deviations, "attribute paths as names in a value", "an extension path as a name in a value", "a value path as a name in a value")),
				strict(title("Engineer", "Boss", "attribute paths as names in a value")),
				strict(field("then name.familyName", "Arden", "Chen", deviations, "attribute paths as names in a value")),
				strict(field("then {Enterprise}.department", "Line 12", "Line 14", deviations, "an extension path as a name in a value")),
				strict(field("then emails[1].value", "alice@example.com", "a@work.example", deviations, "a value path as a name in a value")))},
		{"The manager as a text or a list", onPurpose,
			"The manager is one complex value (RFC 7643, section 4.3). The reference service sends its id, or a list, which the sandbox takes unless strict.",
			together(lax(status("200", "400 invalidValue", deviations, "the manager as a text", "the manager as a list", "the manager as an empty text")),
				lax(field("then {Enterprise}.manager.value", "{bob}", absent, deviations, "the manager as a text", "the manager as a list")),
				lax(field("then {Enterprise}.manager.value", `""`, absent, deviations, "the manager as an empty text")))},
		{"An attribute of the extension without its URN, in a path", onPurpose,
			"Attributes of an extension are addressed by its URN (RFC 7644, section 3.10). Unless strict, the sandbox looks in the extension as well.",
			together(lax(status("200", "400 invalidPath", deviations, "an attribute of the extension without its URN")),
				lax(field("then {Enterprise}.department", "Line 14", "Line 12", deviations, "an attribute of the extension without its URN")))},
		{"Attributes under the URN of User", sandboxRight,
			"Core attributes stand in the resource itself; only those of extensions stand under a URN (RFC 7643, section 3.3). scimmy drops them in silence.",
			status("400 invalidSyntax", "201", deviations, "attributes under the URN of User")},
		{"Removing members by a list of values", bothRight,
			"A remove has no value; without a filter its path means all members (RFC 7644, section 3.5.2.2). The reference service sends the members to remove as a value, and scimmy and the sandbox remove those. " +
				"By the letter the group would be emptied; strict, the sandbox refuses rather than do that to a client that meant one member.",
			together(strict(status("400 invalidSyntax", "200", deviations, "remove members by a list of values", "remove members without list")),
				strict(field("then members[1].value", "{alice}", "{bob}", deviations, "remove members by a list of values")),
				strict(field("then members[2].value", "{bob}", absent, deviations, "remove members by a list of values")),
				strict(field("then members[1].value", "{alice}", absent, deviations, "remove members without list")))},
		{"Members as texts", onPurpose,
			"A member is a complex value (RFC 7643, section 4.2). Unless strict, the sandbox takes an id for it.",
			together(lax(status("204", "400 invalidValue", deviations, "add members as texts")),
				lax(field("then members[2].value", "{bob}", absent, deviations, "add members as texts")))},
		{"The id in the value of a PATCH", bothRight,
			"The id is read-only and must not be changed (RFC 7644, section 3.5.2); whether naming it with the value that it has is a change is not said. Strict, the sandbox says so; the reference service sends it.",
			together(strict(status("400 mutability", "200", deviations, "rename with the id in the value")),
				strict(field("then displayName", "Crew", "Crew 2", deviations, "rename with the id in the value")))},
	}
}
