/**
 * The docs page: the OpenAPI document as one HTML page that loads nothing else.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"

import type * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * The page as an answer. Its policy allows its own style and nothing else: no script, no image, no frame.
 *
 * @category constructors
 * @since 0.1.0
 */
export const response = (document: OpenApi.OpenAPISpec): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(render(document), {
    contentType: "text/html; charset=utf-8",
    headers: {
      "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer"
    }
  })

/**
 * The page as HTML. Every text of the document is escaped.
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (document: OpenApi.OpenAPISpec): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
  `<title>${escape(document.info.title)}</title><style>${style}</style></head><body><main>` +
  `<h1>${escape(document.info.title)} <small>${escape(document.info.version)}</small></h1>` +
  paragraph(document.info.description) +
  `<p><a href="/openapi.json">openapi.json</a></p>` +
  Object.entries(document.paths)
    .flatMap(([path, item]) => verbs.map((verb) => operation(verb, path, item[verb])))
    .join("") +
  `</main></body></html>`

const verbs = ["get", "post", "put", "patch", "delete", "head", "options"] as const

const operation = (method: string, path: string, found: OpenApi.OpenAPISpecOperation | undefined): string =>
  found === undefined
    ? ""
    : `<section><h2><code class="m">${escape(method.toUpperCase())}</code> <code>${escape(path)}</code></h2>` +
      paragraph(found.summary ?? found.description) +
      parameters(found.parameters) +
      Object.values(found.requestBody?.content ?? {})
        .map((content) => details("Request body", content.schema))
        .join("") +
      Object.entries(found.responses ?? {})
        .map(([status, answer]) => responses(status, answer))
        .join("") +
      `</section>`

const parameters = (found: OpenApi.OpenAPISpecOperation["parameters"]): string =>
  found.length === 0
    ? ""
    : `<table><tr><th>Parameter</th><th>In</th><th>Required</th><th>Schema</th></tr>` +
      found
        .map(
          (one) =>
            `<tr><td><code>${escape(one.name)}</code></td><td>${escape(one.in)}</td>` +
            `<td>${one.required ? "yes" : "no"}</td><td><code>${json(one.schema)}</code></td></tr>`
        )
        .join("") +
      `</table>`

const responses = (status: string, answer: OpenApi.OpenApiSpecResponse | undefined): string =>
  `<h3>${escape(status)} <small>${escape(answer?.description ?? "")}</small></h3>` +
  Object.entries(answer?.content ?? {})
    .map(([type, content]) => details(type, content.schema))
    .join("")

const details = (title: string, schema: unknown): string =>
  `<details><summary>${escape(title)}</summary><pre>${json(schema, 2)}</pre></details>`

const paragraph = (text: string | undefined): string => (text === undefined ? "" : `<p>${escape(text)}</p>`)

const json = (value: unknown, indent?: number): string => escape(JSON.stringify(value, undefined, indent) ?? "")

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char)

const style =
  "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:56rem;padding:0 1rem;color:#1b1f24;background:#fff}" +
  "section{border-top:1px solid #d8dee4;margin-top:1.5rem}code,pre{font:14px/1.4 ui-monospace,monospace}" +
  "pre{background:#f6f8fa;padding:.75rem;overflow:auto}.m{background:#0b5;color:#fff;padding:.1rem .4rem;border-radius:.2rem}" +
  "table{border-collapse:collapse}td,th{border:1px solid #d8dee4;padding:.25rem .5rem;text-align:left}small{color:#57606a}" +
  "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}a{color:#58a6ff}}"

const styleHash = Crypto.createHash("sha256").update(style).digest("base64")
