// In-memory SCIM 2.0 service provider built on SCIMMY + scimmy-routers.
// Protocol handling (schema checks, filters, PATCH, Bulk, .search) is the library's;
// this file only stores resources, enforces uniqueness and references, and logs.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const env = process.env;
const PORT = Number(env.PORT ?? 8081);
const HOST = env.HOST ?? "127.0.0.1";
const TOKEN = env.TOKEN ?? "secret-token";
const BASE = env.BASE_PATH ?? "/scim/v2";
const on = (name, dflt) => (env[name] ?? dflt) === "1";
const STRICT_MEMBERS = on("STRICT_MEMBERS", "1");       // member values must name a stored User or Group
const UNIQUE_GROUPS = on("UNIQUE_GROUPS", "0");         // displayName of groups unique as well
const LOG_BODIES = on("LOG_BODIES", "1");

const users = new Map();
const groups = new Map();
const { Resources, Schemas, Types, Config } = SCIMMY;

const MAX_RESULTS = Number(env.MAX_RESULTS ?? 200);
const DEFAULT_COUNT = Number(env.DEFAULT_COUNT ?? 20);   // the library's own default
Config.set({ filter: MAX_RESULTS });
Schemas.User.definition.extend(Schemas.EnterpriseUser.definition, env.REQUIRE_ENTERPRISE === "1");

const plain = (o) => JSON.parse(JSON.stringify(o));
const fold = (s) => String(s ?? "").toLowerCase();

const names = { users: new Map(), groups: new Map() };   // folded name -> id
const idx = (store) => (store === users ? names.users : names.groups);
const attrOf = (store) => (store === users ? "userName" : "displayName");
function unindex(store, r) {
  const k = fold(r[attrOf(store)]);
  if (idx(store).get(k) === r.id) idx(store).delete(k);
}
function save(store, resource, instance, check) {
  const data = plain(instance);
  const old = resource.id ? store.get(resource.id) : undefined;
  if (resource.id && !old) throw new Types.Error(404, null, `Resource ${resource.id} not found`);
  check(data, resource.id);
  const now = new Date().toISOString();
  const id = resource.id ?? randomUUID();
  const saved = { ...data, id, meta: { resourceType: data.meta?.resourceType, created: old?.meta.created ?? now, lastModified: now } };
  delete saved.password;
  delete saved.groups;
  if (old) unindex(store, old);
  idx(store).set(fold(saved[attrOf(store)]), id);
  store.set(id, saved);
  return saved;
}

// Comparisons ignore case for every attribute but those whose schema says caseExact.
const EXACT = new Set(["id", "externalId", "value:members", "$ref", "location", "version"]);
const foldDeep = (v, key = "", parent = "") => {
  if (typeof v === "string") return EXACT.has(key) || EXACT.has(`${key}:${parent}`) ? v : v.toLowerCase();
  if (Array.isArray(v)) return v.map((x) => foldDeep(x, key, parent));
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, foldDeep(x, k, key)]));
  return v;
};
const shadow = (r) => {
  const ext = r[Schemas.EnterpriseUser.definition.id];
  const flat = ext ? Object.fromEntries(Object.entries(ext).map(([k, v]) => [`${Schemas.EnterpriseUser.definition.id}:${k}`, v])) : {};
  return foldDeep({ ...r, ...flat });
};
function search(filter, list) {
  const folded = new Types.Filter([...filter].map((e) => foldDeep(plain(e))));
  const byShadow = new Map(list.map((r) => [shadow(r), r]));
  return folded.match([...byShadow.keys()]).map((sh) => byShadow.get(sh));
}
const QUICK = new Set(["userName", "displayName", "externalId", "id"]);
function quick(filter) {                                 // <attribute> eq "value" alone, without folding whole resources
  const [e, ...more] = [...filter];
  const [k, ...rest] = Object.keys(e ?? {});
  if (more.length || rest.length || !QUICK.has(k) || !Array.isArray(e[k]) || e[k].length !== 2 || e[k][0] !== "eq") return undefined;
  const v = e[k][1];
  return EXACT.has(k) ? (r) => r[k] === v : (r) => fold(r[k]) === fold(v);
}
function load(store, resource, annotate = (list) => list) {
  if (resource.id) {
    const r = store.get(resource.id);
    if (!r) throw new Types.Error(404, null, `Resource ${resource.id} not found`);
    return annotate([r])[0];
  }
  let all = [...store.values()];
  const test = resource.filter && quick(resource.filter);
  if (test) all = annotate(all.filter(test));
  else if (resource.filter) all = search(resource.filter, annotate(all));
  else all = annotate(all);
  return page((resource.constraints ??= {}), all);
}
// The library formats every resource it is handed and then cuts out the page, and starts over
// when startIndex is past the end. Hand it as little as it needs to cut the right page.
function page(c, all) {
  const total = all.length, start = Math.max(c.startIndex ?? 1, 1);
  c.count = Math.min(c.count ?? DEFAULT_COUNT, MAX_RESULTS);
  const n = Math.max(c.count, 0);
  if (c.sortBy !== undefined && start <= total) return all;
  c.totalResults = total;
  if (start > total) return [];
  const part = all.slice(start - 1, start - 1 + n);
  if (part.length < start) return part;
  const head = all.slice(0, start - 1 + n);
  return head.length + start - 1 === total ? all : head;
}
function remove(store, resource) {
  const r = store.get(resource.id);
  if (!r) throw new Types.Error(404, null, `Resource ${resource.id} not found`);
  unindex(store, r);
  store.delete(resource.id);
  for (const g of groups.values()) {
    if (g.members?.some((m) => m.value === resource.id)) {
      g.members = g.members.filter((m) => m.value !== resource.id);
      g.meta.lastModified = new Date().toISOString();
    }
  }
}
const unique = (store, attr) => (data, self) => {
  const holder = idx(store).get(fold(data[attr]));
  if (holder !== undefined && holder !== self) throw new Types.Error(409, "uniqueness", `${attr} '${data[attr]}' is already in use`);
};
const withGroups = (list) => {
  const want = new Map(list.map((u) => [u.id, []]));
  for (const g of groups.values()) for (const m of g.members ?? []) want.get(m.value)?.push({ value: g.id, display: g.displayName, type: "direct" });
  return list.map((u) => (want.get(u.id).length ? { ...u, groups: want.get(u.id) } : u));
};

const checkUser = unique(users, "userName");
const checkGroupName = unique(groups, "displayName");
Resources.declare(Resources.User)
  .ingress((res, inst) => save(users, res, inst, checkUser))
  .egress((res) => load(users, res, withGroups))
  .degress((res) => remove(users, res));
Resources.declare(Resources.Group)
  .ingress((res, inst) => save(groups, res, inst, (data, self) => {
    if (data.members) data.members = [...new Map(data.members.map((m) => [m.value, m])).values()];
    if (UNIQUE_GROUPS) checkGroupName(data, self);
    if (!STRICT_MEMBERS) return;
    for (const m of data.members ?? []) {
      if (!users.has(m.value) && !groups.has(m.value)) {
        throw new Types.Error(400, "invalidValue", `members.value '${m.value}' does not name a User or Group`);
      }
    }
  }))
  .egress((res) => load(groups, res))
  .degress((res) => remove(groups, res));

const app = express();
app.disable("x-powered-by");

// One JSON line per exchange on stdout.
let seq = 0;
const secret = (k) => /^authorization$/i.test(k);
app.use((req, res, next) => {
  const t0 = process.hrtime.bigint();
  const chunks = [];
  const n = ++seq;
  req.on("data", (c) => chunks.push(c));
  const send = res.send.bind(res);
  let out;
  res.send = (body) => { if (out === undefined) out = body; return send(body); };
  res.on("close", () => {                                 // comes also when the client hung up before the answer
    const raw = Buffer.concat(chunks).toString("utf8");
    let body;
    try { body = raw ? JSON.parse(raw) : undefined; } catch { body = raw; }
    const headers = {};
    for (const [k, v] of Object.entries(req.headers)) headers[k] = secret(k) ? String(v).split(" ")[0] + " ***" : v;
    const line = { seq: n, ts: new Date().toISOString(), method: req.method, path: req.originalUrl.split("?")[0], query: req.query,
      headers, status: res.statusCode, aborted: !res.writableFinished || undefined, ms: Number(process.hrtime.bigint() - t0) / 1e6 };
    if (LOG_BODIES) { line.body = body; line.response = out && typeof out === "object" && !Buffer.isBuffer(out) ? out : undefined; }
    process.stdout.write(JSON.stringify(line) + "\n");
  });
  next();
});

// Outside of SCIM: what a test wants to look at or clear, without a token, loopback only.
app.get("/__state", (req, res) => res.json({ users: [...users.values()], groups: [...groups.values()] }));
app.get("/__mark", (req, res) => res.status(204).end());  // its log line tells a reader that all earlier ones are written
app.post("/__reset", (req, res) => { users.clear(); groups.clear(); names.users.clear(); names.groups.clear(); res.status(204).end(); });

app.use(BASE, new SCIMMYRouters({
  type: "bearer",
  handler: (req) => {
    if (req.header("authorization") !== `Bearer ${TOKEN}`) throw new Error("Missing or wrong bearer token");
    return "test-client";
  },
  baseUri: (req) => `http://${req.headers.host}`,
}));

const server = app.listen(PORT, HOST, () => process.stderr.write(`scimmy testbed on http://${HOST}:${server.address().port}${BASE}\n`));
const end = () => { server.close(() => process.exit(0)); server.closeAllConnections?.(); };
for (const s of ["SIGTERM", "SIGINT"]) process.on(s, end);
// A parent that is killed cannot send a signal, but the pipe it held open ends.
if (on("EXIT_WITH_STDIN", "0")) process.stdin.on("end", end).on("error", end).resume();
