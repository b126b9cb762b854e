package story

import (
	"testing"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// application is a kind of target: what the stories need to know of it to say what it must hold and what that may cost.
type application struct {
	title    string // as docs/targets/calls.md calls it
	page     string // in docs/targets
	sandbox  string // "" for the SCIM server that is not ours
	settings        // of the app file, but for url and rate
	rated    bool   // has a limit a minute, which is raised so that the stories are fast
	read     func(*testing.T) func(resource) shown

	update   []string // methods of the calls of one update
	thin     bool     // a create takes few attributes: the others, and then the manager, follow in calls of their own
	never    string   // what must not be sent: Leapsome keeps no private mail addresses
	why      string   // what is special about its calls
	counts   []counts // of the cycle of each file; nil for scheduled
	noGroups bool
}

// raised is the rate of sandbox and job where the real application has a limit a minute.
const raised = "6000/min"

// applications are the targets that administrators asked for.
var applications = []application{
	{
		title: "SCIM 2.0", page: "scim.md", sandbox: "scim",
		settings: settings{template: "scim", deletes: true, layout: everything},
		read:     inSCIM, update: []string{"PATCH"},
		why: "One call for each person created, updated or deleted. A manager goes into the create, since managers are created first.",
	},
	{
		title: "SCIM 2.0, another server", page: "scim.md",
		settings: settings{template: "scim", deletes: true, layout: everything},
		read:     inSCIM, update: []string{"PATCH"},
		why: "SCIMMY, a server that has nothing to do with Rollcall: the same calls.",
	},
	{
		title: "SAP Litmos over SCIM", page: "litmos-scim.md", sandbox: "litmos-scim", rated: true,
		settings: settings{template: "litmos-scim", layout: layout{title: true, phone: true, manager: true}},
		read:     inSCIM, update: []string{"PATCH"},
		why: "Leavers are disabled, since deleting would lose their learning history: the same calls otherwise.",
	},
	{
		title: "SAP Litmos over its own API", page: "litmos-api.md", sandbox: "litmos-api", rated: true,
		settings: settings{template: "litmos-api", auth: "{header: {name: apikey, value: {env: TARGET_TOKEN}}}", target: "    source: adventure-works",
			layout:     layout{displayName: true, title: true, phone: true, department: true, manager: true, level: true},
			attributes: litmosAttributes()},
		read: inLitmos, update: []string{"GET", "PUT"},
		why: "An update takes two calls, since Litmos replaces the whole account: it is read, changed and written back. A disable is an update. " +
			"The manager goes into the create. A listing ends with an empty page, unless the first page holds fewer than half of what may come without asking.",
	},
	{
		title: "Leapsome", page: "leapsome.md", sandbox: "leapsome", rated: true,
		settings: settings{template: "leapsome", layout: layout{displayName: true, title: true, department: true, manager: true, mailOfAll: true},
			attributes: append(scimAttributes(layout{displayName: true, title: true, department: true, manager: true}),
				`{target: externalId, expression: '[employee_id]'}`,
				`{target: 'emails[type eq "home"].value', expression: 'Join("@", [login], "home.example.com")'}`)},
		read: inLeapsome, update: []string{"PATCH"}, thin: true, never: "home.example.com",
		why: "A create takes only names, title and external id: the rest, such as the department, follows in a second call. A manager is written by a " +
			"third one when the accounts are there. Nothing can be deleted: leavers are disabled. There is one mail address, which is the user name.",
	},
	{
		title: "Insite LMS", page: "insite-lms.md", sandbox: "insite-lms", noGroups: true,
		settings: settings{template: "insite-lms", layout: layout{phone: true, mailOfAll: true},
			attributes: append(scimAttributes(layout{phone: true}), `{target: 'emails[type eq "work"].value', `+addressOf+`}`)},
		read: inInsite, update: []string{"PATCH"},
		counts: []counts{
			{Imported: 217, InScope: 217, Created: 217},
			{Imported: 262, InScope: 262, Created: 45, Unchanged: 217},
			{Imported: 283, InScope: 283, Created: 21, Unchanged: 262},
			{Imported: 290, InScope: 290, Created: 7, Unchanged: 283},
			{Imported: 290, InScope: 290, Unchanged: 290},
			{Imported: 287, InScope: 287, Created: 2, Updated: 1, Disabled: 7, Unchanged: 282},
		},
		why: "There are six attributes and no managers, titles or departments, so movers cost nothing; of those who change, only the one with a new name does.",
	},
}

// litmosAttributes are the mappings to Litmos' own interface.
func litmosAttributes() []string {
	return []string{
		`{target: UserName, ` + addressOf + `, match: 1}`,
		`{target: FirstName, expression: '[given_name]'}`,
		`{target: LastName, expression: '[surname]'}`,
		`{target: Email, expression: '[email]'}`,
		`{target: Active, expression: 'Not([IsSoftDeleted])'}`,
		`{target: AccessLevel, expression: 'Switch([job_title], "Learner", "Chief Executive Officer", "Administrator")', apply: create}`,
		`{target: DisableMessages, expression: '"True"'}`,
		`{target: PhoneWork, expression: '[phone]'}`,
		`{target: JobTitle, expression: '[job_title]'}`,
		`{target: CustomField1, expression: '[department]'}`,
		`{target: ExternalEmployeeId, expression: '[employee_id]'}`,
		`{target: ManagerId, reference: '[manager_id]'}`,
	}
}

// open makes a world with a target of this kind, started for the test.
func (a application) open(t *testing.T) (*world, system, settings) {
	t.Helper()
	s := a.settings
	if a.sandbox == "" {
		server := testbed.Scimmy(t)
		s.url = server.BaseURL
		return newWorld(t, server.Token), foreign{server}, s
	}
	var flags []string
	if a.rated {
		s.rate, flags = raised, []string{"--rate", raised}
	}
	target := startSandbox(t, a.sandbox, token, flags...)
	s.url = target.url
	return newWorld(t, token), target, s
}

// scimAccount reads an account in the form of RFC 7643.
func scimAccount(u resource) shown {
	a := shown{ID: text(u, "id"), ManagerID: text(u, enterprise, "manager", "value"),
		account: account{UserName: text(u, "userName"), DisplayName: text(u, "displayName"), GivenName: text(u, "name", "givenName"),
			FamilyName: text(u, "name", "familyName"), Title: text(u, "title"), Email: work(u, "emails"), Phone: work(u, "phoneNumbers"),
			Number: text(u, enterprise, "employeeNumber"), Department: text(u, enterprise, "department")}}
	a.Active, _ = u["active"].(bool)
	return a
}

func inSCIM(*testing.T) func(resource) shown { return scimAccount }

// inLeapsome reads an account of Leapsome, which has no employee number.
func inLeapsome(*testing.T) func(resource) shown {
	return func(u resource) shown {
		a := scimAccount(u)
		a.Number = text(u, "externalId")
		return a
	}
}

// inInsite reads an account of Insite LMS, which has nothing to tell people by but the user name.
func inInsite(t *testing.T) func(resource) shown {
	t.Helper()
	numbers := map[string]string{}
	for _, date := range dates {
		for number, a := range companyOf(t, date).accounts(layout{}, nil) {
			numbers[a.UserName] = number
		}
	}
	return func(u resource) shown {
		a := scimAccount(u)
		a.Number = numbers[a.UserName]
		return a
	}
}

// inLitmos reads an account as Litmos' own interface has it. It makes the display name itself, and 0 is nobody.
func inLitmos(*testing.T) func(resource) shown {
	return func(u resource) shown {
		a := shown{ID: text(u, "Id"), ManagerID: text(u, "ManagerId"),
			account: account{UserName: text(u, "UserName"), DisplayName: text(u, "FullName"), GivenName: text(u, "FirstName"), FamilyName: text(u, "LastName"),
				Title: text(u, "JobTitle"), Email: text(u, "Email"), Phone: text(u, "PhoneWork"), Number: text(u, "ExternalEmployeeId"),
				Department: text(u, "CustomField1"), Level: text(u, "AccessLevel")}}
		if a.ManagerID == "0" {
			a.ManagerID = ""
		}
		a.Active, _ = u["Active"].(bool)
		return a
	}
}
