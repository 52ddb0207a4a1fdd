/**
 * Text that any database keeps: ids, keys and reasons come from the outside and may hold what a text column can't.
 *
 * PostgreSQL refuses U+0000, and a surrogate without its partner has no UTF-8 form: written as it is, it comes back as
 * another character, and two ids become one. Both are written behind U+0010 (data link escape), which is doubled where
 * it occurs itself. Text without any of them, which is all text in practice, is written as it is.
 */

const escape = "\u0010"

/** Takes well-formed pairs for suspects too: they only cost a second look. */
// oxlint-disable-next-line no-control-regex -- control characters are the point
const suspect = /[\u0000\u0010\ud800-\udfff]/

// oxlint-disable-next-line no-control-regex -- control characters are the point
const special = /[\u0000\u0010]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

// oxlint-disable-next-line no-control-regex -- control characters are the point
const escaped = /\u0010([0-9a-f]{4}|\u0010)/g

export const encode = (text: string): string =>
  suspect.test(text)
    ? text.replace(
        special,
        (one) => escape + (one === escape ? escape : one.charCodeAt(0).toString(16).padStart(4, "0"))
      )
    : text

export const decode = (text: string): string =>
  text.includes(escape)
    ? text.replace(escaped, (_, code: string) =>
        code === escape ? escape : String.fromCharCode(Number.parseInt(code, 16))
      )
    : text
