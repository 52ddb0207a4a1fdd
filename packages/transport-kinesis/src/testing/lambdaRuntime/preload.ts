/**
 * Loaded before AWS's runtime client: gives it our client where it asks for its compiled one.
 *
 * @since 0.1.0
 */
import { registerHooks } from "node:module"

const own = new URL(`./nativeClient.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url).href

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === "./rapid-client.node" ? { url: own, shortCircuit: true } : nextResolve(specifier, context)
})
