package replay

func messages() section {
	user := post("", "/Users", `{"schemas":["{User}"],"userName":"cora@example.com"}`)
	named := func(name string, s step) step {
		s.name = name
		return s
	}
	change := patch("", "/Users/{alice}", `{"op":"replace","path":"title","value":"Boss"}`)
	return section{"Messages and credentials", []step{
		get("no token", "/Users").with("Authorization", ""),
		get("a wrong token", "/Users").with("Authorization", "Bearer wrong"),
		get("a token of another scheme", "/Users").with("Authorization", "Basic YWxpY2U6eA=="),
		named("a user without token", user).with("Authorization", ""),
		get("discovery without token", "/ServiceProviderConfig").with("Authorization", ""),
		named("application/json", user).with("Content-Type", "application/json"),
		named("application/json with charset", user).with("Content-Type", "application/json; charset=utf-8"),
		named("text/plain", user).with("Content-Type", "text/plain"),
		named("a form", user).with("Content-Type", "application/x-www-form-urlencoded"),
		named("no content type", user).with("Content-Type", ""),
		named("a PATCH as text/plain", change).with("Content-Type", "text/plain"),
		get("Accept: application/json", "/Users/{alice}").with("Accept", "application/json"),
		get("Accept: text/html", "/Users/{alice}").with("Accept", "text/html"),
		post("malformed JSON", "/Users", `{"schemas":["{User}"],"userName":`),
		post("no body", "/Users", ``),
		post("a list instead of an object", "/Users", `[{"schemas":["{User}"],"userName":"cora@example.com"}]`),
		post("a text instead of an object", "/Users", `"cora@example.com"`),
		post("null instead of an object", "/Users", `null`),
		post("a name twice", "/Users", `{"schemas":["{User}"],"userName":"cora@example.com","userName":"dora@example.com"}`),
		{name: "malformed JSON in a PATCH", method: "PATCH", path: "/Users/{alice}", body: `{"schemas":`},
		named("a version that is not the present one", change).with("If-Match", `W/"no-such-version"`),
		get("a version that the client does not have", "/Users/{alice}").with("If-None-Match", `W/"no-such-version"`),
	}}
}

func discovery() section {
	return section{"Discovery", []step{
		get("what the server can do", "/ServiceProviderConfig"),
		get("resource types", "/ResourceTypes"),
		get("the resource type User", "/ResourceTypes/User"),
		get("an unknown resource type", "/ResourceTypes/Robot"),
		get("schemas", "/Schemas"),
		get("the schema of users", "/Schemas/{User}"),
		get("the schema of the extension", "/Schemas/{Enterprise}"),
		get("the schema of groups", "/Schemas/{Group}"),
		get("an unknown schema", "/Schemas/urn:example:unknown"),
		get("schemas with a filter", "/Schemas", "filter", `id eq "{User}"`),
		post("a schema made by a client", "/Schemas", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:mine"}`),
		get("the user who asks", "/Me"),
		post("a query by POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"alice@example.com\""}`),
		post("many requests in one", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/{bob}"}]}`),
	}}
}

// deviations are what well-known clients send though the RFCs do not allow it (scim.R33 to R40).
func deviations() section {
	alice := func(name, operations string) step { return patch(name, "/Users/{alice}", operations) }
	crew := func(name, operations string) step { return patch(name, "/Groups/{crew}", operations) }
	return section{"Deviations that well-known clients send", []step{
		post("a user with the text True", "/Users", `{"schemas":["{User}"],"userName":"cora@example.com","active":"True"}`),
		post("a primary mark with the text True", "/Users", `{"schemas":["{User}"],"userName":"cora@example.com","emails":[{"value":"cora@example.com","type":"work","primary":"True"}]}`),
		alice("disable with the text False", `{"op":"Replace","path":"active","value":"False"}`),
		alice("disable without path, with the text False", `{"op":"Replace","value":{"active":"False"}}`),
		alice("attribute paths as names in a value", `{"op":"Replace","value":{"title":"Boss","name.familyName":"Chen"}}`),
		alice("an extension path as a name in a value", `{"op":"Add","value":{"{Enterprise}:department":"Line 14"}}`),
		alice("a value path as a name in a value", `{"op":"Replace","value":{"emails[type eq \"work\"].value":"a@work.example"}}`),
		alice("the manager as a text", `{"op":"Add","path":"{Enterprise}:manager","value":"{bob}"}`),
		alice("the manager as a list", `{"op":"Add","path":"{Enterprise}:manager","value":[{"value":"{bob}"}]}`),
		alice("the manager as an empty text", `{"op":"Replace","path":"{Enterprise}:manager","value":""}`),
		alice("a value as a list of one object", `{"op":"Replace","path":"title","value":[{"value":"Boss"}]}`),
		alice("add to an element that is not there", `{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"+49 30 5550142"}`),
		alice("remove with a value", `{"op":"Remove","path":"title","value":"Engineer"}`),
		alice("an attribute of the extension without its URN", `{"op":"replace","path":"department","value":"Line 14"}`),
		post("attributes under the URN of User", "/Users", `{"schemas":["{User}"],"userName":"cora@example.com","{User}":{"title":"Boss"}}`),
		crew("remove members by a list of values", `{"op":"Remove","path":"members","value":[{"value":"{alice}"}]}`).after(
			patch("both", "/Groups/{crew}", `{"op":"add","path":"members","value":[{"value":"{bob}"}]}`)),
		crew("add members as texts", `{"op":"Add","path":"members","value":["{bob}"]}`),
		crew("remove members without list", `{"op":"Remove","path":"members","value":{"value":"{alice}"}}`),
		crew("rename with the id in the value", `{"op":"Replace","value":{"id":"{crew}","displayName":"Crew 2"}}`),
		get("excluded members with a filter", "/Groups", "excludedAttributes", "members", "filter", `displayName eq "Crew"`),
	}}
}
