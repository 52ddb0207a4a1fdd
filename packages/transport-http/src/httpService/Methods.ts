/**
 * Which methods a path has: the router says "no route" for an unknown path and for a wrong method alike (404 and 405).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FindMyWay from "effect/http/FindMyWay"
import * as HttpRouter from "effect/http/HttpRouter"

/**
 * A router that remembers, and its question.
 *
 * @category models
 * @since 0.1.0
 */
export interface Methods {
  readonly router: HttpRouter.HttpRouter
  /** The methods of a URL's path; empty where there is no such path. */
  readonly of: (url: string) => ReadonlyArray<string>
}

const all = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"] as const

/**
 * Wraps a router so that it remembers what was added.
 *
 * @category constructors
 * @since 0.1.0
 */
export const remember = (inner: HttpRouter.HttpRouter): Methods => {
  const known = FindMyWay.make<true>()
  const note: Note = (method, path) => {
    for (const one of method === "*" ? all : [method]) {
      if (!known.has(one, path)) known.on(one, path === "*" ? "/*" : path, true)
    }
  }
  return {
    router: wrap(inner, note, ""),
    of: (url) => {
      const found: Array<string> = all.filter((method) => known.find(method, url) !== undefined)
      return found.includes("GET") ? [...found, "HEAD"] : found
    }
  }
}

type Note = (method: string, path: HttpRouter.PathInput) => void

const wrap = (inner: HttpRouter.HttpRouter, note: Note, prefix: string): HttpRouter.HttpRouter => {
  const noted = (method: string, path: HttpRouter.PathInput) => note(method, prefix === "" ? path : join(prefix, path))
  return {
    ...inner,
    prefixed: (more) => wrap(inner.prefixed(more), note, join(prefix, more)),
    add: (method, path, handler, options) =>
      Effect.suspend(() => {
        noted(method, path)
        return inner.add(method, path, handler, options)
      }),
    addAll: (routes) =>
      Effect.suspend(() => {
        for (const route of routes) noted(route.method, route.path)
        return inner.addAll(routes)
      })
  }
}

const join = (prefix: string, path: string): HttpRouter.PathInput =>
  `/${HttpRouter.prefixPath(path, prefix).replace(/^\/+/, "")}`
