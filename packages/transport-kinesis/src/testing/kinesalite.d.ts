// kinesalite 3.3.3 ships no types; this is what the embedded stream uses of it.
declare module "kinesalite" {
  import type { Server } from "node:http"

  interface Options {
    readonly createStreamMs?: number
    readonly deleteStreamMs?: number
    readonly updateStreamMs?: number
    readonly shardLimit?: number
  }

  function kinesalite(options?: Options): Server
  export = kinesalite
}
