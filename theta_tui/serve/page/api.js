// Shows the description of the API. All of it is put into text nodes.

const make = (name, ...children) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};

const last = (reference) => reference.split("/").pop();

// The type that a schema describes, in a few words.
function words(schema) {
  if (schema.$ref) return last(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(words).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${words(schema.items ?? {})}]`;
  const least = schema.minimum ?? schema.minLength;
  const most = schema.maximum ?? schema.maxLength;
  const bounds = least === undefined && most === undefined ? "" : ` (${least ?? ""}…${most ?? ""})`;
  return (schema.type ?? "anything") + bounds;
}

function fields(name, schemas, shown) {
  const schema = schemas[name];
  const section = make("section", make("h3", name));
  section.id = name;
  if (schema.description) section.append(make("p", schema.description));
  const rows = Object.entries(schema.properties ?? {}).map(([field, kind]) => {
    const needed = (schema.required ?? []).includes(field) ? " (required)" : "";
    return make("tr", make("th", make("code", field)), make("td", words(kind) + needed));
  });
  const table = make("div", make("table", make("tbody", ...rows)));
  table.className = "wide";
  section.append(table);
  shown.append(section);
}

function link(content) {
  const name = last(Object.values(content)[0].schema.$ref);
  const anchor = make("a", name);
  anchor.href = `#${name}`;
  return anchor;
}

async function show() {
  document.getElementById("base").textContent = new URL("v1", location.href).href.split("#")[0];
  const described = await (await fetch("v1/openapi.json")).json();
  const shown = document.getElementById("operations");
  const list = make("dl");
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [status] = Object.keys(operation.responses);
      const about = make("dd", `${operation.summary}. `);
      if (operation.requestBody) about.append("Takes ", link(operation.requestBody.content), ". ");
      about.append("Answers ", link(operation.responses[status].content), ".");
      list.append(make("dt", make("code", `${method.toUpperCase()} ${path}`)), about);
    }
  }
  shown.append(make("h2", "What there is"), list, make("h2", "Types"));
  for (const name of Object.keys(described.components.schemas).sort()) fields(name, described.components.schemas, shown);
  shown.removeAttribute("aria-busy");
}

show();
