package replay

func creatingUsers() section {
	user := func(name, rest string) step {
		return post(name, "/Users", `{"schemas":["{User}"],"userName":"cora@example.com"`+rest+`}`)
	}
	enterprise := func(name, rest string) step {
		return post(name, "/Users", `{"schemas":["{User}","{Enterprise}"],"userName":"cora@example.com","{Enterprise}":{`+rest+`}}`)
	}
	return section{"Creating users", []step{
		user("a user with a user name alone", ""),
		user("a user with names, addresses and numbers", `,"name":{"givenName":"Cora","familyName":"Chen"},"active":true,`+
			`"emails":[{"value":"cora@example.com","type":"work","primary":true}],`+
			`"addresses":[{"type":"work","locality":"Berlin","country":"DE"}],"roles":[{"value":"Editor"}],"locale":"de-DE"`),
		enterprise("a user with the enterprise extension and a manager", `"department":"Line 12","manager":{"value":"{alice}"}`),
		enterprise("a user whose manager is not there", `"manager":{"value":"{gone}"}`),
		post("a user name that is taken", "/Users", `{"schemas":["{User}"],"userName":"alice@example.com"}`),
		post("a user name that is taken, in another case", "/Users", `{"schemas":["{User}"],"userName":"ALICE@example.com"}`),
		user("an externalId that is taken", `,"externalId":"E-1"`),
		post("no user name", "/Users", `{"schemas":["{User}"],"displayName":"Nobody"}`),
		post("an empty user name", "/Users", `{"schemas":["{User}"],"userName":""}`),
		post("a user name that is null", "/Users", `{"schemas":["{User}"],"userName":null}`),
		post("a user name that is a number", "/Users", `{"schemas":["{User}"],"userName":17}`),
		post("no schemas", "/Users", `{"userName":"cora@example.com"}`),
		post("the schema of groups", "/Users", `{"schemas":["{Group}"],"userName":"cora@example.com"}`),
		post("an unknown schema", "/Users", `{"schemas":["{User}","urn:example:unknown"],"userName":"cora@example.com"}`),
		post("extension attributes without their schema in schemas", "/Users",
			`{"schemas":["{User}"],"userName":"cora@example.com","{Enterprise}":{"department":"Line 12"}}`),
		user("an unknown attribute", `,"shoeSize":"43"`),
		user("an unknown sub-attribute", `,"name":{"givenName":"Cora","spirit":"owl"}`),
		user("an attribute in another case", `,"DISPLAYNAME":"Cora Chen"`),
		user("an id chosen by the client", `,"id":"my-own"`),
		user("groups, which are read-only", `,"groups":[{"value":"{crew}"}]`),
		user("a password, which is never returned", `,"password":"correct horse"`),
		user("empty and null values, which mean unassigned", `,"title":null,"emails":[],"nickName":"Co"`),
		user("a text for a Boolean attribute", `,"active":"yes"`),
		user("one object for a list", `,"emails":{"value":"cora@example.com"}`),
		user("a list for a single value", `,"title":["Boss"]`),
		user("a text for a complex attribute", `,"name":"Cora Chen"`),
		user("two primary addresses", `,"emails":[{"value":"a@example.com","primary":true},{"value":"b@example.com","primary":true}]`),
		user("a type that is not among the canonical values", `,"emails":[{"value":"a@example.com","type":"barn"}]`),
		user("texts beyond ASCII", `,"displayName":"Çağla Ōé 🚋","title":"a\"b\\c"`),
	}}
}

func reading() section {
	return section{"Reading", []step{
		get("a user", "/Users/{alice}"),
		get("a user without extension", "/Users/{bob}"),
		get("a group", "/Groups/{crew}"),
		get("a user that is not there", "/Users/{gone}"),
		get("a group that is not there", "/Groups/{gone}"),
		get("the id of a group as a user", "/Users/{crew}"),
		get("an id in another case", "/Users/NO-SUCH-ID"),
		get("all users", "/Users"),
		get("all groups", "/Groups"),
		get("an endpoint that is not there", "/Robots"),
		{name: "a method that the endpoint does not have", method: "DELETE", path: "/Users"},
	}}
}

func filters() section {
	return section{"Filters", []step{
		filter("eq", `userName eq "alice@example.com"`),
		filter("eq in another case", `USERNAME EQ "Alice@Example.com"`),
		filter("eq that finds nothing", `userName eq "nobody@example.com"`),
		filter("eq on externalId", `externalId eq "E-1"`),
		filter("eq on externalId in another case", `externalId eq "e-1"`),
		filter("eq on id", `id eq "{alice}"`),
		filter("eq on a Boolean attribute", `active eq true`),
		filter("eq on a Boolean attribute that some do not have, false", `active eq false`),
		filter("a Boolean attribute with a text", `active eq "true"`),
		filter("a Boolean attribute with gt", `active gt false`),
		filter("ne", `userName ne "alice@example.com"`),
		filter("ne on an attribute that some do not have", `title ne "Engineer"`),
		filter("co", `userName co "LICE"`),
		filter("sw", `userName sw "bo"`),
		filter("ew", `userName ew "@example.com"`),
		filter("gt on a text", `userName gt "b"`),
		filter("le on a text", `userName le "alice@example.com"`),
		filter("gt on a time", `meta.created gt "2001-01-01T00:00:00Z"`),
		filter("lt on a time", `meta.lastModified lt "2001-01-01T00:00:00Z"`),
		filter("pr", `title pr`),
		filter("pr on a complex attribute", `emails pr`),
		filter("eq null", `title eq null`),
		filter("and", `active eq true and userName sw "alice"`),
		filter("or", `userName eq "alice@example.com" or userName eq "bob@example.com"`),
		filter("and before or", `userName eq "bob@example.com" or userName eq "alice@example.com" and title eq "Boss"`),
		filter("not", `not (userName eq "alice@example.com")`),
		filter("parentheses", `(userName eq "bob@example.com" or userName eq "alice@example.com") and title eq "Engineer"`),
		filter("a sub-attribute", `name.familyName eq "arden"`),
		filter("a sub-attribute of a list", `emails.value eq "alice@home.example"`),
		filter("a list without sub-attribute", `emails eq "alice@home.example"`),
		filter("a value path", `emails[type eq "work" and value co "example.com"]`),
		filter("a value path that holds for two elements only together", `emails[type eq "home" and primary eq true]`),
		filter("a sub-attribute after a value path", `emails[type eq "work"].value eq "alice@example.com"`),
		filter("an attribute of the extension by its URN", `{Enterprise}:department eq "line 12"`),
		filter("an attribute of the extension that nobody has", `{Enterprise}:costCenter pr`),
		filter("an attribute of User by its URN", `{User}:userName eq "alice@example.com"`),
		filter("a group the user is in", `groups.value eq "{crew}"`),
		filter("an unknown attribute", `shoeSize eq "43"`),
		filter("an attribute of the extension without its URN", `department eq "Line 12"`),
		filter("an unknown operator", `userName is "alice@example.com"`),
		filter("an operator without value", `userName eq`),
		filter("a value without quotation marks", `userName eq alice`),
		filter("an open quotation mark", `userName eq "alice`),
		filter("an open parenthesis", `(userName pr`),
		filter("an open bracket", `emails[type eq "work"`),
		filter("words behind the filter", `userName pr title`),
		filter("an empty filter", ``),
		filter("an escaped quotation mark", `displayName eq "a\"b"`),
		filter("a user name with an escaped quotation mark that is there", `displayName eq "O\"Neil"`).after(
			post("with quotation mark", "/Users", `{"schemas":["{User}"],"userName":"oneil@example.com","displayName":"O\"Neil"}`).named("oneil")),
		get("groups by displayName", "/Groups", "filter", `displayName eq "crew"`),
		get("groups by member", "/Groups", "filter", `members.value eq "{alice}"`),
		get("groups by member in brackets", "/Groups", "filter", `members[value eq "{alice}"]`),
		get("groups by an attribute of users", "/Groups", "filter", `userName eq "alice@example.com"`),
	}}
}

func pages() section {
	page := func(name string, query ...string) step {
		return get(name, "/Users", append([]string{"attributes", "userName"}, query...)...).after(crowd(5)...)
	}
	return section{"Pages", []step{
		page("the first page", "startIndex", "1", "count", "3"),
		page("the second page", "startIndex", "4", "count", "3"),
		page("the last page", "startIndex", "7", "count", "3"),
		page("behind the end", "startIndex", "8", "count", "3"),
		page("far behind the end", "startIndex", "1000", "count", "3"),
		page("count 0", "count", "0"),
		page("a negative count", "count", "-1"),
		page("startIndex 0", "startIndex", "0", "count", "3"),
		page("a negative startIndex", "startIndex", "-2", "count", "3"),
		page("more than there are", "count", "100"),
		page("more than a page may have", "count", "100000"),
		page("a count that is no number", "count", "many"),
		page("a startIndex that is no number", "startIndex", "first"),
		page("a page of a filter", "filter", `userName sw "user"`, "startIndex", "2", "count", "2"),
		page("sorted, where the server offers it", "sortBy", "userName", "sortOrder", "descending", "count", "2"),
	}}
}

func projections() section {
	user := func(name string, query ...string) step { return get(name, "/Users/{alice}", query...) }
	return section{"Attributes that are asked for", []step{
		user("one attribute", "attributes", "userName"),
		user("several attributes", "attributes", "userName, title"),
		user("an attribute in another case", "attributes", "USERNAME"),
		user("a sub-attribute", "attributes", "name.familyName"),
		user("a sub-attribute of a list", "attributes", "emails.value"),
		user("an attribute of the extension", "attributes", "{Enterprise}:department"),
		user("the whole extension", "attributes", "{Enterprise}"),
		user("an attribute of User by its URN", "attributes", "{User}:userName"),
		user("meta", "attributes", "meta"),
		user("groups", "attributes", "groups"),
		user("an unknown attribute", "attributes", "shoeSize"),
		user("all but one attribute", "excludedAttributes", "emails"),
		user("all but a sub-attribute", "excludedAttributes", "name.familyName"),
		user("all but an attribute of the extension", "excludedAttributes", "{Enterprise}:department"),
		user("all but the id, which is always returned", "excludedAttributes", "id"),
		user("all but meta", "excludedAttributes", "meta"),
		user("both parameters", "attributes", "userName", "excludedAttributes", "title"),
		get("a group without members", "/Groups/{crew}", "excludedAttributes", "members"),
		get("a list of groups without members", "/Groups", "excludedAttributes", "members"),
		get("a list with one attribute", "/Users", "attributes", "title"),
		{name: "one attribute of a user that is made", method: "POST", path: "/Users", query: []string{"attributes", "userName"},
			body: `{"schemas":["{User}"],"userName":"cora@example.com","title":"Boss"}`},
	}}
}

func replacing() section {
	return section{"Replacing", []step{
		put("a user, with other values", "/Users/{alice}", `{"schemas":["{User}"],"id":"{alice}","userName":"alice@example.com","title":"Boss","active":false}`),
		put("a user, by what it is", "/Users/{alice}", aliceBody),
		put("without the required user name", "/Users/{alice}", `{"schemas":["{User}"],"title":"Boss"}`),
		put("with a user name that is taken", "/Users/{alice}", `{"schemas":["{User}"],"userName":"bob@example.com"}`),
		put("with another id", "/Users/{alice}", `{"schemas":["{User}"],"id":"{bob}","userName":"alice@example.com"}`),
		put("with groups, which are read-only", "/Users/{bob}", `{"schemas":["{User}"],"userName":"bob@example.com","groups":[{"value":"{crew}"}]}`),
		put("a user that is not there", "/Users/{gone}", `{"schemas":["{User}"],"userName":"cora@example.com"}`),
		put("a group, with another member", "/Groups/{crew}", `{"schemas":["{Group}"],"displayName":"Crew","members":[{"value":"{bob}"}]}`),
		put("a group, without members", "/Groups/{crew}", `{"schemas":["{Group}"],"displayName":"Team"}`),
		put("a group, with a member that is not there", "/Groups/{crew}", `{"schemas":["{Group}"],"displayName":"Crew","members":[{"value":"{gone}"}]}`),
	}}
}

func deleting() section {
	return section{"Deleting", []step{
		remove("a user", "/Users/{bob}"),
		remove("a group", "/Groups/{crew}"),
		remove("a user that is gone", "/Users/{bob}").after(remove("once", "/Users/{bob}")),
		remove("a user that never was", "/Users/{gone}"),
		remove("a group that never was", "/Groups/{gone}"),
		get("a user that is gone, to be read", "/Users/{bob}").after(remove("once", "/Users/{bob}")),
		get("the group of a user that is gone", "/Groups/{crew}").after(remove("the member", "/Users/{alice}")),
		get("the member of a group that is gone", "/Users/{alice}").after(remove("the group", "/Groups/{crew}")),
		patch("a user that is gone, to be changed", "/Users/{bob}", `{"op":"replace","path":"title","value":"Boss"}`).after(remove("once", "/Users/{bob}")),
		post("a user name that is free again", "/Users", `{"schemas":["{User}"],"userName":"bob@example.com"}`).after(remove("once", "/Users/{bob}")),
	}}
}
