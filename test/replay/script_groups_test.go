package replay

func groups() section {
	group := func(name, rest string) step {
		return post(name, "/Groups", `{"schemas":["{Group}"],"displayName":"Line 12"`+rest+`}`)
	}
	crew := func(name, operations string) step { return patch(name, "/Groups/{crew}", operations) }
	return section{"Groups", []step{
		group("a group without members", ""),
		group("a group with members", `,"externalId":"G-1","members":[{"value":"{alice}"},{"value":"{bob}","display":"Bob"}]`),
		group("a group with a group as member", `,"members":[{"value":"{crew}","type":"Group"}]`),
		group("a member twice", `,"members":[{"value":"{alice}"},{"value":"{alice}"}]`),
		group("a member that is not there", `,"members":[{"value":"{gone}"}]`),
		group("a member without value", `,"members":[{"display":"Nobody"}]`),
		group("members that are texts", `,"members":["{alice}"]`),
		group("an attribute of users", `,"userName":"x"`),
		post("no displayName", "/Groups", `{"schemas":["{Group}"]}`),
		post("a displayName that is taken", "/Groups", `{"schemas":["{Group}"],"displayName":"crew"}`),
		crew("rename", `{"op":"replace","path":"displayName","value":"Crew 2"}`),
		crew("rename to the same name", `{"op":"replace","path":"displayName","value":"Crew"}`),
		crew("rename without path", `{"op":"replace","value":{"displayName":"Crew 2"}}`),
		crew("remove the name", `{"op":"remove","path":"displayName"}`),
		crew("set the externalId", `{"op":"add","path":"externalId","value":"G-1"}`),
		crew("rename and add a member", `{"op":"replace","path":"displayName","value":"Crew 2"},{"op":"add","path":"members","value":[{"value":"{bob}"}]}`),
		crew("a good operation and a member that is not there", `{"op":"replace","path":"displayName","value":"Crew 2"},{"op":"add","path":"members","value":[{"value":"{gone}"}]}`),
		patch("a group that is not there", "/Groups/{gone}", `{"op":"replace","path":"displayName","value":"Crew 2"}`),
		{name: "with attributes asked for", method: "PATCH", path: "/Groups/{crew}", query: []string{"attributes", "displayName"},
			body: `{"schemas":["{PatchOp}"],"Operations":[{"op":"replace","path":"displayName","value":"Crew 2"}]}`},
	}}
}

func members() section {
	crew := func(name, operations string) step { return patch(name, "/Groups/{crew}", operations) }
	both := patch("both", "/Groups/{crew}", `{"op":"add","path":"members","value":[{"value":"{bob}"}]}`)
	return section{"Members", []step{
		crew("add one", `{"op":"add","path":"members","value":[{"value":"{bob}"}]}`),
		crew("add one without list", `{"op":"add","path":"members","value":{"value":"{bob}"}}`),
		crew("add one without path", `{"op":"add","value":{"members":[{"value":"{bob}"}]}}`),
		crew("add one that is in", `{"op":"add","path":"members","value":[{"value":"{alice}"}]}`),
		crew("add one that is not there", `{"op":"add","path":"members","value":[{"value":"{gone}"}]}`),
		crew("add the group itself", `{"op":"add","path":"members","value":[{"value":"{crew}"}]}`),
		crew("add one with type and display", `{"op":"add","path":"members","value":[{"value":"{bob}","type":"User","display":"Bob"}]}`),
		crew("remove one by path", `{"op":"remove","path":"members[value eq \"{alice}\"]"}`),
		crew("remove one of two by path", `{"op":"remove","path":"members[value eq \"{alice}\"]"}`).after(both),
		crew("remove two by paths", `{"op":"remove","path":"members[value eq \"{alice}\"]"},{"op":"remove","path":"members[value eq \"{bob}\"]"}`).after(both),
		crew("remove one that is not in, by path", `{"op":"remove","path":"members[value eq \"{bob}\"]"}`),
		crew("remove all", `{"op":"remove","path":"members"}`).after(both),
		crew("replace all", `{"op":"replace","path":"members","value":[{"value":"{bob}"}]}`),
		crew("replace all by none", `{"op":"replace","path":"members","value":[]}`),
		crew("change the value of a member", `{"op":"replace","path":"members[value eq \"{alice}\"].value","value":"{bob}"}`),
		crew("change the display of a member", `{"op":"replace","path":"members[value eq \"{alice}\"].display","value":"Al"}`),
		get("the groups of a member that was added", "/Users/{bob}").after(both),
	}}
}
